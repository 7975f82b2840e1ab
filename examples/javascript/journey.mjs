// @ts-check
// A partner in JavaScript, from connecting a user to losing one, at the fake Garmin:
//
//   node examples/javascript/journey.mjs
//
// It needs Node 18 and Go, and nothing from a package registry. With FAKE_URL,
// FAKE_CLIENT_ID and FAKE_CLIENT_SECRET it uses a fake that runs already, which must
// be able to reach this machine at 127.0.0.1.
//
// control.mjs and garmin.mjs are generated: see generate.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Control } from "./control.mjs";
import { Garmin, read } from "./garmin.mjs";

const began = Date.now();
const say = (/** @type {string} */ text) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${text}`);

// The partner's endpoint: it keeps each body and answers 200.
/** @type {Record<string, any>[]} */
const bodies = [];
/** @type {(() => void)[]} */
let waiting = [];
const partner = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
  res.end();
  for (const wake of waiting.splice(0)) wake();
});
partner.listen(0, "127.0.0.1");
await once(partner, "listening");
const address = /** @type {import("node:net").AddressInfo} */ (partner.address());
const here = `http://127.0.0.1:${address.port}`;

/** received waits for the first item under a list key.
 * @param {string} key */
async function received(key) {
  for (;;) {
    for (const [i, body] of bodies.entries()) {
      if (body[key]) return bodies.splice(i, 1)[0][key][0];
    }
    await new Promise((wake) => waiting.push(() => wake(undefined)));
  }
}

/** start runs the fake, unless there is one.
 * @returns {Promise<{url: string, id: string, secret: string, stop: () => void}>} */
async function start() {
  const { FAKE_URL: url, FAKE_CLIENT_ID: id, FAKE_CLIENT_SECRET: secret } = process.env;
  if (url && id && secret) return { url, id, secret, stop: () => {} };
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const fake = spawn("go", ["run", "./examples/fakegarmin", "-listen", "127.0.0.1:0", "-users", "0"], { cwd: root, detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => { try { process.kill(-(fake.pid ?? 0)); } catch { /* it has ended */ } };
  process.on("exit", stop);
  /** @type {Record<string, string>} */
  const found = {};
  for await (const line of createInterface({ input: fake.stdout })) {
    const m = /^(fake Garmin on|client id|client secret)\s+(\S+)/.exec(line);
    if (m) found[m[1]] = m[2];
    if (Object.keys(found).length === 3) break;
  }
  if (!found["fake Garmin on"]) throw new Error("the fake has not started");
  return { url: found["fake Garmin on"], id: found["client id"], secret: found["client secret"], stop };
}

// The fake may have to be compiled first; the journey itself takes seconds.
const within = (/** @type {number} */ minutes) => setTimeout(() => { console.error(`no end after ${minutes} minutes`); process.exit(1); }, minutes * 60_000);
let deadline = within(10);
const fake = await start();
clearTimeout(deadline);
deadline = within(2);
say(`the fake listens on ${fake.url}`);
const control = new Control(fake.url + "/control");
await control.setLimits({ redirectURL: here + "/back" });

// A user who has yet to connect, and PKCE.
await control.addUser({ id: "alice", connected: false });
const verifier = randomBytes(32).toString("base64url");
const state = randomBytes(16).toString("base64url");
/** @type {Parameters<Garmin["consent"]>[0]} */
const ask = {
  response_type: "code", client_id: fake.id, state, redirect_uri: here + "/back",
  code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
};
const visitor = new Garmin(fake.url);
await assert.rejects(visitor.showConsent({ ...ask, redirect_uri: "https://attacker.example/" }), { status: 400 });
assert.match(await visitor.showConsent(ask), /alice/);
const { location } = await visitor.consent(ask, { user: "alice", permission: ["ACTIVITY_EXPORT", "HISTORICAL_DATA_EXPORT"], answer: "agree" });
const back = new URL(location);
assert.equal(back.origin, here);
assert.equal(back.searchParams.get("state"), state);
const credentials = { client_id: fake.id, client_secret: fake.secret };
let tokens = await visitor.getTokens({
  grant_type: "authorization_code", ...credentials, code: back.searchParams.get("code") ?? "", code_verifier: verifier, redirect_uri: here + "/back",
});
const garmin = new Garmin(fake.url, { headers: { Authorization: "Bearer " + tokens.access_token } });
assert.deepEqual(await garmin.getUserID(), { userId: "alice" });
say("alice is connected");

// A ping, and the data that it leads to. A callback URL is used as it is.
const get = async (/** @type {string} */ url) => read("GET", new URL(url).pathname, await fetch(url, { headers: garmin.headers, redirect: "error" }));
await control.setEndpoint("all", { url: here + "/garmin", enabled: true, push: false });
const item = { summaryId: "7001", activityId: 7001, activityName: "Morning run", activityType: "RUNNING", startTimeInSeconds: 1790000000, durationInSeconds: 1800, startTimeOffsetInSeconds: 0 };
await control.addItem("alice", { kind: "activities", item });
const ping = await received("activities");
assert.equal(ping.userId, "alice");
assert.deepEqual(await get(ping.callbackURL), [item]);
say("a ping came, and the activity was pulled");

// A push.
await control.setEndpoint("all", { push: true });
await control.addItem("alice", { kind: "activityDetails", sport: "run", seed: 1 });
const details = await received("activityDetails");
assert.equal(details.userId, "alice");
assert.ok(details.samples.length > 100);
say(`a push came, with ${details.samples.length} samples`);

// A file, which can be had once.
await control.addItem("alice", { kind: "activityFiles", sport: "run", seed: 1 });
const file = await received("activityFiles");
const bytes = await get(file.callbackURL);
assert.equal(Buffer.from(bytes.subarray(8, 12)).toString(), ".FIT");
await assert.rejects(get(file.callbackURL), { status: 410 });
say(`a file of ${bytes.length} bytes was downloaded, once`);

// The user edits the activity by hand.
await control.editItem("alice", "7001", { activityName: "Evening run" });
const edited = await received("manuallyUpdatedActivities");
assert.deepEqual([edited.summaryId, edited.activityName, edited.manual], ["7001", "Evening run", true]);
say("an edit came");

// A day later, the token has expired.
const clock = await control.advanceClock({ advance: "25h" });
await assert.rejects(garmin.getUserID(), { status: 401 });
tokens = await visitor.getTokens({ grant_type: "refresh_token", ...credentials, refresh_token: tokens.refresh_token });
garmin.headers.Authorization = "Bearer " + tokens.access_token;
assert.deepEqual((await garmin.getPermissions()).permissions, ["ACTIVITY_EXPORT", "HISTORICAL_DATA_EXPORT"]);
say(`it is ${clock.now} at the fake, and the token is a new one`);

// The end.
await garmin.deregister();
assert.equal((await received("deregistrations")).userId, "alice");
assert.equal((await control.getUser("alice")).connected, false);
const failed = (await control.listDeliveries()).filter((d) => !d.acknowledged);
assert.deepEqual(failed, []);
say("alice has disconnected: the journey is complete");

clearTimeout(deadline);
fake.stop();
partner.close();
partner.closeAllConnections?.();
