// Fake Garmin: control API. Written by examples/javascript/generate: do not edit.

/** An answer that is no success. body is what it said: JSON, or text. */
export class ApiError extends Error {
  constructor(method, path, status, body) {
    super(`${method} ${path}: ${status} ${body?.error ?? body?.errorMessage ?? ""}`);
    this.status = status;
    this.body = body;
  }
}

/** What every call goes through. headers are sent with each, such as Authorization. */
export class Client {
  constructor(baseURL, { headers = {} } = {}) {
    this.baseURL = baseURL.replace(/\/$/, "");
    this.headers = headers;
  }

  async call(method, path, { query, json, form } = {}) {
    const url = new URL(this.baseURL + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = { ...this.headers };
    let body;
    if (json !== undefined) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(json);
    } else if (form !== undefined) {
      body = new URLSearchParams(Object.entries(form).flatMap(([name, v]) => [v].flat().map((e) => [name, e])));
    }
    const res = await fetch(url, { method, headers, body, redirect: "manual" });
    return read(method, path, res);
  }
}

/** read makes of an answer what the caller gets: JSON, bytes, text or a place to go to. */
export async function read(method, path, res) {
  const type = res.headers.get("Content-Type") ?? "";
  if (res.status >= 300 && res.status < 400) {
    await res.arrayBuffer();
    return { location: res.headers.get("Location") };
  }
  let body;
  if (type.startsWith("application/json")) body = await res.json();
  else if (type.startsWith("application/octet-stream")) body = new Uint8Array(await res.arrayBuffer());
  else body = (await res.text()) || undefined;
  if (!res.ok) throw new ApiError(method, path, res.status, body);
  return body;
}

export class Control extends Client {
  /** Make the next requests fail. */
  addFault(body) {
    return this.call("POST", `/faults`, { json: body });
  }

  /** Upload an item of the caller's, or those of a workout that is made up. An item whose summaryId the user has already, of the same kind, takes its place. */
  addItem(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/items`, { json: body });
  }

  /** Make a Garmin user. */
  addUser(body) {
    return this.call("POST", `/users`, { json: body });
  }

  /** Move the clock on. What becomes due on the way is delivered, tokens and files expire, budgets come back. */
  advanceClock(body) {
    return this.call("POST", `/clock`, { json: body });
  }

  /** Ask for history as the web tool does. */
  backfillUser(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/backfill`, { json: body });
  }

  /** Change what the body has, and nothing else. */
  changeUser(id, body) {
    return this.call("PUT", `/users/${encodeURIComponent(id)}`, { json: body });
  }

  /** Forget the faults. */
  clearFaults() {
    return this.call("DELETE", `/faults`, {  });
  }

  /** Empty the log of requests. */
  clearRequests() {
    return this.call("DELETE", `/requests`, {  });
  }

  /** Send what is due now. */
  deliver() {
    return this.call("POST", `/deliver`, {  });
  }

  /** This document. */
  describeControl() {
    return this.call("GET", `/openapi.json`, {  });
  }

  /** The Garmin API as it is simulated, in OpenAPI. */
  describeGarmin() {
    return this.call("GET", `/garmin.json`, {  });
  }

  /** The notifications, in AsyncAPI. */
  describeNotifications() {
    return this.call("GET", `/notifications.json`, {  });
  }

  /** The user disconnects in Garmin Connect. The tokens die, what waits is dropped and the partner gets a deregistration. Garmin has no other notification of data that goes away. */
  disconnectUser(id) {
    return this.call("DELETE", `/users/${encodeURIComponent(id)}`, {  });
  }

  /** The user edits an activity by hand. The partner gets a manually updated activity. */
  editItem(id, item, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/items/activities/${encodeURIComponent(item)}/edit`, { json: body });
  }

  /** Tokens expire now. */
  expireTokens(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/expire`, { json: body });
  }

  /** Make up history that only a backfill brings. */
  fillHistory(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/history`, { json: body });
  }

  /** What happens, as server-sent events. There are ten events a second of each sort at most. What comes faster is sampled, and the events count what they leave out. */
  followEvents() {
    return this.call("GET", `/events`, {  });
  }

  /** What a partner's program is configured with. */
  getApp() {
    return this.call("GET", `/app`, {  });
  }

  /** The server's time. */
  getClock() {
    return this.call("GET", `/clock`, {  });
  }

  /** One attempt, with what both sides have sent. */
  getDelivery(id) {
    return this.call("GET", `/deliveries/${encodeURIComponent(id)}`, {  });
  }

  /** An item as it is sent. */
  getItem(id, kind, item) {
    return this.call("GET", `/users/${encodeURIComponent(id)}/items/${encodeURIComponent(kind)}/${encodeURIComponent(item)}`, {  });
  }

  /** Rules, limits and what is kept. */
  getLimits() {
    return this.call("GET", `/limits`, {  });
  }

  /** One request, with what both sides have sent. */
  getRequest(id) {
    return this.call("GET", `/requests/${encodeURIComponent(id)}`, {  });
  }

  /** The whole state. The same state gives the same bytes. */
  getSnapshot() {
    return this.call("GET", `/snapshot`, {  });
  }

  /** Users, endpoints, queues and what is on. */
  getState() {
    return this.call("GET", `/state`, {  });
  }

  /** A user, with tokens. */
  getUser(id) {
    return this.call("GET", `/users/${encodeURIComponent(id)}`, {  });
  }

  /** The attempts to notify, oldest first. */
  listDeliveries(query = {}) {
    return this.call("GET", `/deliveries`, { query });
  }

  /** The faults that are not used up. */
  listFaults() {
    return this.call("GET", `/faults`, {  });
  }

  /** What Garmin has of a user. */
  listItems(id, query = {}) {
    return this.call("GET", `/users/${encodeURIComponent(id)}/data`, { query });
  }

  /** Every quirk, and whether it is on. */
  listQuirks() {
    return this.call("GET", `/quirks`, {  });
  }

  /** The requests to the Garmin API, oldest first. */
  listRequests(query = {}) {
    return this.call("GET", `/requests`, { query });
  }

  /** What Garmin's Partner Verification tool would say. */
  partnerVerification() {
    return this.call("GET", `/verification`, {  });
  }

  /** Put a whole item in the place of an old one, and announce it. */
  putItem(id, kind, item, body) {
    return this.call("PUT", `/users/${encodeURIComponent(id)}/items/${encodeURIComponent(kind)}/${encodeURIComponent(item)}`, { json: body });
  }

  /** Send a body once more, now. */
  resendDelivery(id) {
    return this.call("POST", `/deliveries/${encodeURIComponent(id)}/resend`, {  });
  }

  /** Announce all that the user has uploaded once more. */
  resendSummaries(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/resend`, { json: body });
  }

  /** Make the server new: no users, data, logs, faults or quirks. */
  reset() {
    return this.call("POST", `/reset`, {  });
  }

  /** Make the state that of a snapshot. */
  restore(body) {
    return this.call("PUT", `/snapshot`, { json: body });
  }

  /** Send all that waits to be sent again now. */
  retryAll() {
    return this.call("POST", `/retry`, {  });
  }

  /** Send a body that waits to be sent again now. */
  retryDelivery(id) {
    return this.call("POST", `/deliveries/${encodeURIComponent(id)}/retry`, {  });
  }

  /** Change what the body has, of one row or of all. */
  setEndpoint(key, body) {
    return this.call("PUT", `/endpoints/${encodeURIComponent(key)}`, { json: body });
  }

  /** Change what the body has, and nothing else. */
  setLimits(body) {
    return this.call("PUT", `/limits`, { json: body });
  }

  /** The user changes what is granted. */
  setPermissions(id, body) {
    return this.call("PUT", `/users/${encodeURIComponent(id)}/permissions`, { json: body });
  }

  /** Turn quirks on and off. */
  setQuirks(body) {
    return this.call("PUT", `/quirks`, { json: body });
  }

  /** A device uploads a workout: activities, details and files. */
  syncUser(id, body) {
    return this.call("POST", `/users/${encodeURIComponent(id)}/sync`, { json: body });
  }

  /** Check an endpoint as the technical review does. */
  verify(body) {
    return this.call("POST", `/verify`, { json: body });
  }
}
