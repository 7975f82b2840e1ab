/** An answer that is no success. body is what it said: JSON, or text. */
export class ApiError extends Error {
  constructor(method: string, path: string, status: number, body: any);
  status: number;
  body: any;
}

/** What every call goes through. headers are sent with each, such as Authorization. */
export class Client {
  constructor(baseURL: string, options?: { headers?: { [name: string]: string } });
  baseURL: string;
  headers: { [name: string]: string };
  call(method: string, path: string, options?: { query?: object; json?: unknown; form?: object }): Promise<any>;
}

/** read makes of an answer what the caller gets: JSON, bytes, text or a place to go to. */
export function read(method: string, path: string, res: Response): Promise<any>;
