// Fake Garmin: control API. Written by examples/javascript/generate: do not edit.

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

export type Advance = {
  /** By how much. As Go writes durations: "1h30m", "500ms". */
  advance: string;
};

export type App = {
  /** What stands for each of Garmin's hosts. */
  baseURL: string;
  clientId: string;
  /** Left out if it was given to the program, since it may be a real one. */
  clientSecret?: string;
  /** As it is registered. */
  redirectURL: string;
};

export type Backfill = {
  /** Part of the range. */
  end?: string;
  kind?: Kind;
  start?: string;
};

export type Clock = {
  /** How far it is ahead of the machine's. As Go writes durations: "1h30m", "500ms". */
  ahead: string;
  /** What was delivered on the way. */
  delivered: number;
  /** How much of it was not acknowledged. */
  failed: number;
  /** The server's time. */
  now: string;
};

export type DeliveriesEvent = {
  /** The latest, oldest first: 50 at most. */
  list: Array<Delivery>;
  /** How many came beside them since the last event. */
  skipped: number;
};

/** An attempt to notify the partner. */
export type Delivery = {
  /** Whether the answer was 200. */
  acknowledged: boolean;
  attempt: number;
  /** Why there was no answer. */
  error?: string;
  /** Counts the attempts from 1. */
  id: number;
  items: number;
  key: ListKey;
  /** When the body is sent again, if it is. */
  next?: string;
  /** Counts the bodies from 1; the attempts at one body share it. */
  notification: number;
  /** How long it took. */
  seconds: number;
  sent: string;
  /** That of the answer, or 0 if there was none. */
  status: number;
  /** Where it was posted. */
  url: string;
  users: number;
};

export type Endpoint = {
  /** Notifications are made. */
  enabled: boolean;
  /** Items that are sent again. */
  failed: number;
  key: ListKey;
  /** They are made and wait, for up to seven days. */
  onHold: boolean;
  /** The data itself is sent, not a ping. Files are always pinged. */
  push: boolean;
  /** Where notifications go, or "". */
  url: string;
  /** Items not sent yet. */
  waiting: number;
};

export type EndpointChange = {
  enabled?: boolean;
  onHold?: boolean;
  push?: boolean;
  /** http or https, or "". */
  url?: string;
};

/** Why a call was refused. It had no effect. */
export type Error = {
  /** What is wrong, for people. */
  error: string;
};

export type Expire = {
  /** The access tokens. */
  access?: boolean;
  /** The refresh token. */
  refresh?: boolean;
};

/** Something that goes wrong with the next requests. */
export type Fault = {
  body: string;
  /** The connection breaks after so many bytes of the answer's body; less than 0 is right after the headers. */
  cutAfter: number;
  /** What passes first. As Go writes durations: "1h30m", "500ms". */
  delay: string;
  header: { [name: string]: Array<string> };
  /** The connection breaks in place of the answer; the request has had its effect. */
  lose: boolean;
  /** How many requests fail. */
  n: number;
  /** Requests whose path ends so; "" is any. */
  path: string;
  /** The connection breaks, and the request has no effect. */
  refuse: boolean;
  /** What is answered, without effect; 0 is none. */
  status: number;
};

export type Faults = {
  /** How many requests will fail. */
  faults: number;
  list: Array<Fault>;
};

export type History = {
  /** Now if it is left out. */
  end?: string;
  /** The same seed makes the same history. */
  seed?: number;
  /** A month ago if it is left out. */
  start?: string;
};

/** The sort of an item: its list key in a notification. */
export type Kind = "activities" | "activityDetails" | "activityFiles" | "manuallyUpdatedActivities" | "moveIQActivities";

export type Limits = {
  backfill: {
    /** The budget of all users; 0 is 100. */
    daysPerMinute: number;
    /** What passes before a backfill's notifications. As Go writes durations: "1h30m", "500ms". */
    delay: string;
    /** Only the same range again is a duplicate. */
    exactDuplicates: boolean;
    /** It is counted by the minutes of the clock. */
    fixedMinutes: boolean;
  };
  delivery: {
    /** The most items in a body; 0 is 50. */
    batchItems: number;
    /** The wait after the first failure, which doubles up to six hours; 0s is 30 s. As Go writes durations: "1h30m", "500ms". */
    firstRetry: string;
    /** How long an endpoint may take; 0s is 30 s. As Go writes durations: "1h30m", "500ms". */
    timeout: string;
  };
  /** A pull leaves out the last second of its range. */
  endExclusive: boolean;
  /** Details of activities of more than 24 hours are not kept. */
  noLongDetails: boolean;
  /** Whether pulls need a token. */
  pullTokens: "required" | "optional" | "none";
  /** The items of a pull have a userId. */
  pullsCarryUserId: boolean;
  /** The partner's redirect URL as it is registered. A redirect_uri that is another one is refused. */
  redirectURL: string;
  retention: {
    /** Of headers and bodies that are kept, for each of the two; 0 is 16 MB, less than 0 none. */
    bytes: number;
    /** How many are kept; 0 is 100,000. */
    deliveries: number;
    /** How many are kept; 0 is 100,000. */
    requests: number;
  };
};

export type LimitsChange = {
  backfill?: {
    /** The budget of all users; 0 is 100. */
    daysPerMinute?: number;
    /** What passes before a backfill's notifications. As Go writes durations: "1h30m", "500ms". */
    delay?: string;
    /** Only the same range again is a duplicate. */
    exactDuplicates?: boolean;
    /** It is counted by the minutes of the clock. */
    fixedMinutes?: boolean;
  };
  delivery?: {
    /** The most items in a body; 0 is 50. */
    batchItems?: number;
    /** The wait after the first failure, which doubles up to six hours; 0s is 30 s. As Go writes durations: "1h30m", "500ms". */
    firstRetry?: string;
    /** How long an endpoint may take; 0s is 30 s. As Go writes durations: "1h30m", "500ms". */
    timeout?: string;
  };
  /** A pull leaves out the last second of its range. */
  endExclusive?: boolean;
  /** Details of activities of more than 24 hours are not kept. */
  noLongDetails?: boolean;
  /** Whether pulls need a token. */
  pullTokens?: "required" | "optional" | "none";
  /** The items of a pull have a userId. */
  pullsCarryUserId?: boolean;
  /** The partner's redirect URL as it is registered. A redirect_uri that is another one is refused. */
  redirectURL?: string;
  retention?: {
    /** Of headers and bodies that are kept, for each of the two; 0 is 16 MB, less than 0 none. */
    bytes?: number;
    /** How many are kept; 0 is 100,000. */
    deliveries?: number;
    /** How many are kept; 0 is 100,000. */
    requests?: number;
  };
};

/** A row of the endpoint configuration. */
export type ListKey = "activities" | "activityDetails" | "activityFiles" | "manuallyUpdatedActivities" | "moveIQActivities" | "deregistrations" | "userPermissionsChange";

/** What one side has sent. */
export type Message = {
  /** The body if it is no text. */
  base64?: string;
  /** Only the beginning is kept. */
  cut: boolean;
  /** Header and body are no longer kept. */
  dropped: boolean;
  header: { [name: string]: Array<string> };
  /** The length of all of the body. */
  size: number;
  /** The body, or its beginning. */
  text: string;
};

export type NewFault = {
  body?: string;
  /** The connection breaks after so many bytes of the answer's body; less than 0 is right after the headers. */
  cutAfter?: number;
  /** What passes first. As Go writes durations: "1h30m", "500ms". */
  delay?: string;
  header?: { [name: string]: Array<string> };
  /** The connection breaks in place of the answer; the request has had its effect. */
  lose?: boolean;
  /** How many requests fail. */
  n?: number;
  /** Requests whose path ends so; "" is any. */
  path?: string;
  /** The connection breaks, and the request has no effect. */
  refuse?: boolean;
  /** What is answered, without effect; 0 is none. */
  status?: number;
};

/** Either item, or sport, seed and start. */
export type NewItem = {
  /** The bytes of a file, in base64. */
  content?: string;
  /** true makes it data from before the connection, which only a backfill brings. */
  history?: boolean;
  /** The whole item, of any fields. summaryId and startTimeInSeconds are added if it has none; userId and callbackURL are the server's. */
  item?: { [name: string]: unknown };
  kind: Kind;
  /** The same seed makes the same items. */
  seed?: number;
  sport?: Sport;
  /** When a workout that is made up begins; an hour ago if it is left out. */
  start?: string;
};

export type NewUser = {
  /** The access token that the partner has already; made up if it is left out. */
  accessToken?: string;
  /** false makes a user who has never connected: send a browser to the consent page. */
  connected?: boolean;
  /** When the user first connected; now if it is left out. */
  firstConnected?: string;
  /** The earliest start that a backfill takes; a month before firstConnected if it is left out. */
  historyFrom?: string;
  /** Made up if it is left out. */
  id?: string;
  /** true makes a user of OAuth 1.0a, with a token and its secret, and without OAuth 2. */
  oauth1?: boolean;
  permissions?: Permissions;
};

/** What the user grants, such as ACTIVITY_EXPORT and HISTORICAL_DATA_EXPORT. */
export type Permissions = Array<string>;

export type Quirk = {
  /** Where it was seen. */
  about: string;
  name: string;
  on: boolean;
  /** The part of the cases that it applies to. */
  share: number;
};

export type QuirksChange = {
  /** Those that are on; the others are off. */
  names?: Array<string>;
  /** That of names, or of all that are on. */
  share?: number;
  /** Those of single quirks; the others stay as they are. 0 is off. */
  shares?: { [name: string]: number };
};

export type Record = {
  /** The summaryId. */
  id: string;
  /** The item as it is sent, without its owner. */
  json: { [name: string]: unknown };
  kind: Kind;
  /** When the item began. */
  start: string;
  /** When it came to Garmin; left out for history that no backfill has brought yet. */
  uploaded?: string;
};

export type Report = {
  checks: Array<{
    detail?: string;
    name: string;
    requirement: string;
    seconds: number;
    section: string;
    verdict: "pass" | "fail" | "skip";
  }>;
  /** Without its path. */
  endpoint: string;
  seconds: number;
  started: string;
  /** What the checks cannot see. */
  unverified?: Array<string>;
};

/** A request to the Garmin API. It holds no secret. */
export type Request = {
  /** The scheme of the Authorization header, or "". */
  auth: string;
  /** Who answered, if it was not the API. */
  by?: "Intercept" | "fault" | "quirk";
  host: string;
  /** Counts the requests from 1. */
  id: number;
  method: string;
  path: string;
  /** Without its tokens. */
  query: string;
  /** The names in the query, sorted. */
  queryKeys: Array<string>;
  /** How long the answer took. */
  seconds: number;
  /** 0 if the connection was cut before. */
  status: number;
  time: string;
  /** Who was authenticated, or "". */
  userId: string;
};

export type RequestsEvent = {
  /** The latest, oldest first: 50 at most. */
  list: Array<Request>;
  /** How many came beside them since the last event. */
  skipped: number;
};

export type Resend = {
  /** Which kinds; all if it is left out. */
  kinds?: Array<Kind>;
};

/** The whole state. It holds tokens. Its fields are the server's own. */
export type Snapshot = {
  version: 1;
};

/** A sort of workout that can be made up. */
export type Sport = "run" | "ride" | "indoor-ride" | "pool-swim" | "open-swim" | "walk" | "strength" | "wheelchair" | "triathlon" | "manual";

export type State = {
  /** How far the clock is ahead. As Go writes durations: "1h30m", "500ms". */
  ahead: string;
  baseURL: string;
  clientId: string;
  /** How many there were. */
  deliveries: number;
  endpoints: Array<Endpoint>;
  /** Items that were on hold for too long. */
  expired: number;
  /** Requests that will fail. */
  faults: number;
  /** Items that wait. */
  pending: number;
  /** Those that are on. */
  quirks: Array<string>;
  redirectURL: string;
  /** How many there were. */
  requests: number;
  users: Array<User>;
};

export type Sync = {
  /** The same seed makes the same workout. */
  seed?: number;
  sport?: Sport;
  /** When it began; an hour ago if it is left out. */
  start?: string;
};

/** A Garmin user. The tokens are left out where many users are listed, and where there are none. */
export type User = {
  /** When the newest access token expires. */
  accessExpires?: string;
  /** The newest OAuth 2 access token. */
  accessToken?: string;
  /** Whether the user is connected to the partner. */
  connected: boolean;
  /** The earliest start that a backfill takes. */
  historyFrom: string;
  /** The Garmin user id. */
  id: string;
  /** The token of OAuth 1.0a; only in the answer that makes the user. */
  oauth1Token?: string;
  /** Its secret. */
  oauth1TokenSecret?: string;
  permissions: Permissions;
  /** How many records of each kind the user has, history included. */
  records: {
    activities: number;
    activityDetails: number;
    activityFiles: number;
    manuallyUpdatedActivities: number;
    moveIQActivities: number;
  };
  /** The OAuth 2 refresh token. */
  refreshToken?: string;
};

export type UserChange = {
  /** true connects the user anew, false disconnects. */
  connected?: boolean;
  /** The earliest start that a backfill takes. */
  historyFrom?: string;
  permissions?: Permissions;
};

export type Verify = {
  /** The partner's endpoint. */
  endpoint: string;
};

/** An attempt to notify the partner, with what both sides have sent. */
export type WholeDelivery = {
  /** Whether the answer was 200. */
  acknowledged: boolean;
  answer: Message;
  attempt: number;
  /** Why there was no answer. */
  error?: string;
  /** Counts the attempts from 1. */
  id: number;
  items: number;
  key: ListKey;
  /** When the body is sent again, if it is. */
  next?: string;
  /** Counts the bodies from 1; the attempts at one body share it. */
  notification: number;
  request: Message;
  /** How long it took. */
  seconds: number;
  sent: string;
  /** That of the answer, or 0 if there was none. */
  status: number;
  /** Where it was posted. */
  url: string;
  users: number;
};

/** A request to the Garmin API, with what both sides have sent. It holds no secret. */
export type WholeRequest = {
  answer: Message;
  /** The scheme of the Authorization header, or "". */
  auth: string;
  /** Who answered, if it was not the API. */
  by?: "Intercept" | "fault" | "quirk";
  host: string;
  /** Counts the requests from 1. */
  id: number;
  method: string;
  path: string;
  /** Without its tokens. */
  query: string;
  /** The names in the query, sorted. */
  queryKeys: Array<string>;
  request: Message;
  /** How long the answer took. */
  seconds: number;
  /** 0 if the connection was cut before. */
  status: number;
  time: string;
  /** Who was authenticated, or "". */
  userId: string;
};

export class Control extends Client {
  /** Make the next requests fail. */
  addFault(body?: NewFault): Promise<Faults>;

  /** Upload an item of the caller's, or those of a workout that is made up. An item whose summaryId the user has already, of the same kind, takes its place. */
  addItem(id: string, body: NewItem): Promise<Array<Record>>;

  /** Make a Garmin user. */
  addUser(body?: NewUser): Promise<User>;

  /** Move the clock on. What becomes due on the way is delivered, tokens and files expire, budgets come back. */
  advanceClock(body: Advance): Promise<Clock>;

  /** Ask for history as the web tool does. */
  backfillUser(id: string, body: Backfill): Promise<{
    accepted: boolean;
  }>;

  /** Change what the body has, and nothing else. */
  changeUser(id: string, body: UserChange): Promise<User>;

  /** Forget the faults. */
  clearFaults(): Promise<Faults>;

  /** Empty the log of requests. */
  clearRequests(): Promise<Array<Request>>;

  /** Send what is due now. */
  deliver(): Promise<Array<Delivery>>;

  /** This document. */
  describeControl(): Promise<{ [name: string]: unknown }>;

  /** The Garmin API as it is simulated, in OpenAPI. */
  describeGarmin(): Promise<{ [name: string]: unknown }>;

  /** The notifications, in AsyncAPI. */
  describeNotifications(): Promise<{ [name: string]: unknown }>;

  /** The user disconnects in Garmin Connect. The tokens die, what waits is dropped and the partner gets a deregistration. Garmin has no other notification of data that goes away. */
  disconnectUser(id: string): Promise<User>;

  /** The user edits an activity by hand. The partner gets a manually updated activity. */
  editItem(id: string, item: string, body?: { [name: string]: unknown }): Promise<Record>;

  /** Tokens expire now. */
  expireTokens(id: string, body?: Expire): Promise<User>;

  /** Make up history that only a backfill brings. */
  fillHistory(id: string, body?: History): Promise<User>;

  /** What happens, as server-sent events. There are ten events a second of each sort at most. What comes faster is sampled, and the events count what they leave out. */
  followEvents(): Promise<string>;

  /** What a partner's program is configured with. */
  getApp(): Promise<App>;

  /** The server's time. */
  getClock(): Promise<Clock>;

  /** One attempt, with what both sides have sent. */
  getDelivery(id: number): Promise<WholeDelivery>;

  /** An item as it is sent. */
  getItem(id: string, kind: Kind, item: string): Promise<Record>;

  /** Rules, limits and what is kept. */
  getLimits(): Promise<Limits>;

  /** One request, with what both sides have sent. */
  getRequest(id: number): Promise<WholeRequest>;

  /** The whole state. The same state gives the same bytes. */
  getSnapshot(): Promise<Snapshot>;

  /** Users, endpoints, queues and what is on. */
  getState(): Promise<State>;

  /** A user, with tokens. */
  getUser(id: string): Promise<User>;

  /** The attempts to notify, oldest first. */
  listDeliveries(query?: {
    after?: number;
    limit?: number;
  }): Promise<Array<Delivery>>;

  /** The faults that are not used up. */
  listFaults(): Promise<Faults>;

  /** What Garmin has of a user. */
  listItems(id: string, query?: {
    end?: string;
    kind?: Kind;
    start?: string;
  }): Promise<Array<Record>>;

  /** Every quirk, and whether it is on. */
  listQuirks(): Promise<Array<Quirk>>;

  /** The requests to the Garmin API, oldest first. */
  listRequests(query?: {
    after?: number;
    limit?: number;
  }): Promise<Array<Request>>;

  /** What Garmin's Partner Verification tool would say. */
  partnerVerification(): Promise<Report>;

  /** Put a whole item in the place of an old one, and announce it. */
  putItem(id: string, kind: Kind, item: string, body: { [name: string]: unknown }): Promise<Record>;

  /** Send a body once more, now. */
  resendDelivery(id: number): Promise<WholeDelivery>;

  /** Announce all that the user has uploaded once more. */
  resendSummaries(id: string, body?: Resend): Promise<{
    resent: number;
  }>;

  /** Make the server new: no users, data, logs, faults or quirks. */
  reset(): Promise<State>;

  /** Make the state that of a snapshot. */
  restore(body: Snapshot): Promise<State>;

  /** Send all that waits to be sent again now. */
  retryAll(): Promise<Array<Delivery>>;

  /** Send a body that waits to be sent again now. */
  retryDelivery(id: number): Promise<WholeDelivery>;

  /** Change what the body has, of one row or of all. */
  setEndpoint(key: "activities" | "activityDetails" | "activityFiles" | "manuallyUpdatedActivities" | "moveIQActivities" | "deregistrations" | "userPermissionsChange" | "all", body: EndpointChange): Promise<Array<Endpoint>>;

  /** Change what the body has, and nothing else. */
  setLimits(body: LimitsChange): Promise<Limits>;

  /** The user changes what is granted. */
  setPermissions(id: string, body: Permissions): Promise<User>;

  /** Turn quirks on and off. */
  setQuirks(body: QuirksChange): Promise<Array<Quirk>>;

  /** A device uploads a workout: activities, details and files. */
  syncUser(id: string, body?: Sync): Promise<User>;

  /** Check an endpoint as the technical review does. */
  verify(body: Verify): Promise<Report>;
}
