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
