// Garmin Activity API, as the fake simulates it. Written by examples/javascript/generate: do not edit.

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

export class Garmin extends Client {
  /** Ask for history. */
  backfillActivities(query = {}) {
    return this.call("GET", `/wellness-api/rest/backfill/activities`, { query });
  }

  /** Ask for history. */
  backfillActivityDetails(query = {}) {
    return this.call("GET", `/wellness-api/rest/backfill/activityDetails`, { query });
  }

  /** Ask for history. */
  backfillMoveIQ(query = {}) {
    return this.call("GET", `/wellness-api/rest/backfill/moveiq`, { query });
  }

  /** The form of that page. */
  consent(query = {}, form) {
    return this.call("POST", `/oauth2Confirm`, { query, form });
  }

  /** Disconnect the user. */
  deregister() {
    return this.call("DELETE", `/wellness-api/rest/user/registration`, {  });
  }

  /** Download a file, once. The URL comes with a ping and can be used for 24 hours, once. */
  downloadFile(query = {}) {
    return this.call("GET", `/wellness-api/rest/activityFile`, { query });
  }

  /** Disconnect the user. */
  gatewayDeregister() {
    return this.call("DELETE", `/partner-gateway/rest/user/registration`, {  });
  }

  /** What the user grants. */
  gatewayGetPermissions() {
    return this.call("GET", `/partner-gateway/rest/user/permissions`, {  });
  }

  /** Whose token it is. */
  gatewayGetUserID() {
    return this.call("GET", `/partner-gateway/rest/user/id`, {  });
  }

  /** What the user grants. */
  getPermissions() {
    return this.call("GET", `/wellness-api/rest/user/permissions`, {  });
  }

  /** Tokens for a code, or for a refresh token. */
  getTokens(form) {
    return this.call("POST", `/di-oauth2-service/oauth/token`, { form });
  }

  /** Whose token it is. */
  getUserID() {
    return this.call("GET", `/wellness-api/rest/user/id`, {  });
  }

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullActivities(query = {}) {
    return this.call("GET", `/wellness-api/rest/activities`, { query });
  }

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullActivityDetails(query = {}) {
    return this.call("GET", `/wellness-api/rest/activityDetails`, { query });
  }

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullManuallyUpdatedActivities(query = {}) {
    return this.call("GET", `/wellness-api/rest/manuallyUpdatedActivities`, { query });
  }

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullMoveIQ(query = {}) {
    return this.call("GET", `/wellness-api/rest/moveiq`, { query });
  }

  /** The page on which a user consents. */
  showConsent(query = {}) {
    return this.call("GET", `/oauth2Confirm`, { query });
  }
}
