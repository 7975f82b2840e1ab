// Garmin Activity API, as the fake simulates it. Written by examples/javascript/generate: do not edit.

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

/** An activity's summary. Fields that are not known may come. */
export type Activity = {
  activeKilocalories?: number;
  activityDescription?: string;
  /** A number, if it is one. */
  activityId?: number | string;
  activityName?: string;
  activityType?: string;
  /** In rounds per minute. */
  averageBikeCadenceInRoundsPerMinute?: number;
  /** In beats per minute. */
  averageHeartRateInBeatsPerMinute?: number;
  /** In minutes per kilometre. */
  averagePaceInMinutesPerKilometer?: number;
  /** In pushes per minute. */
  averagePushCadenceInPushesPerMinute?: number;
  /** In steps per minute. */
  averageRunCadenceInStepsPerMinute?: number;
  /** In metres per second. */
  averageSpeedInMetersPerSecond?: number;
  /** In strokes per minute. */
  averageSwimCadenceInStrokesPerMinute?: number;
  deviceName?: string;
  /** In metres. */
  distanceInMeters?: number;
  /** In seconds. */
  durationInSeconds?: number;
  isParent?: boolean;
  isWebUpload?: boolean;
  manual?: boolean;
  /** In rounds per minute. */
  maxBikeCadenceInRoundsPerMinute?: number;
  /** In beats per minute. */
  maxHeartRateInBeatsPerMinute?: number;
  /** In minutes per kilometre. */
  maxPaceInMinutesPerKilometer?: number;
  /** In pushes per minute. */
  maxPushCadenceInPushesPerMinute?: number;
  /** In steps per minute. */
  maxRunCadenceInStepsPerMinute?: number;
  /** In metres per second. */
  maxSpeedInMetersPerSecond?: number;
  numberOfActiveLengths?: number;
  parentSummaryId?: string;
  pushes?: number;
  /** In seconds. */
  startTimeInSeconds?: number;
  /** In seconds. */
  startTimeOffsetInSeconds?: number;
  /** In degrees. */
  startingLatitudeInDegree?: number;
  /** In degrees. */
  startingLongitudeInDegree?: number;
  steps?: number;
  summaryId: string;
  /** In metres. */
  totalElevationGainInMeters?: number;
  /** In metres. */
  totalElevationLossInMeters?: number;
  userId?: string;
};

/** An activity with its samples. Fields that are not known may come. */
export type ActivityDetails = {
  activityId?: number | string;
  laps?: Array<Lap>;
  samples?: Array<Sample>;
  summary?: ActivitySummary;
  summaryId: string;
  userId?: string;
};

/** The summary inside details. Fields that are not known may come. */
export type ActivitySummary = {
  activeKilocalories?: number;
  activityDescription?: string;
  /** A number, if it is one. */
  activityId?: number | string;
  activityName?: string;
  activityType?: string;
  /** In rounds per minute. */
  averageBikeCadenceInRoundsPerMinute?: number;
  /** In beats per minute. */
  averageHeartRateInBeatsPerMinute?: number;
  /** In minutes per kilometre. */
  averagePaceInMinutesPerKilometer?: number;
  /** In pushes per minute. */
  averagePushCadenceInPushesPerMinute?: number;
  /** In steps per minute. */
  averageRunCadenceInStepsPerMinute?: number;
  /** In metres per second. */
  averageSpeedInMetersPerSecond?: number;
  /** In strokes per minute. */
  averageSwimCadenceInStrokesPerMinute?: number;
  deviceName?: string;
  /** In metres. */
  distanceInMeters?: number;
  /** In seconds. */
  durationInSeconds?: number;
  isParent?: boolean;
  isWebUpload?: boolean;
  manual?: boolean;
  /** In rounds per minute. */
  maxBikeCadenceInRoundsPerMinute?: number;
  /** In beats per minute. */
  maxHeartRateInBeatsPerMinute?: number;
  /** In minutes per kilometre. */
  maxPaceInMinutesPerKilometer?: number;
  /** In pushes per minute. */
  maxPushCadenceInPushesPerMinute?: number;
  /** In steps per minute. */
  maxRunCadenceInStepsPerMinute?: number;
  /** In metres per second. */
  maxSpeedInMetersPerSecond?: number;
  numberOfActiveLengths?: number;
  parentSummaryId?: string;
  pushes?: number;
  /** In seconds. */
  startTimeInSeconds?: number;
  /** In seconds. */
  startTimeOffsetInSeconds?: number;
  /** In degrees. */
  startingLatitudeInDegree?: number;
  /** In degrees. */
  startingLongitudeInDegree?: number;
  steps?: number;
  summaryId?: string;
  /** In metres. */
  totalElevationGainInMeters?: number;
  /** In metres. */
  totalElevationLossInMeters?: number;
  userId?: string;
};

export type GarminError = {
  /** What is wrong, for people. */
  errorMessage: string;
};

export type Lap = {
  /** In seconds. */
  startTimeInSeconds: number;
};

/** What a device detected by itself. Fields that are not known may come. */
export type MoveIQ = {
  activitySubType?: string;
  activityType?: string;
  calendarDate?: string;
  /** In seconds. */
  durationInSeconds?: number;
  /** In seconds. */
  offsetInSeconds?: number;
  /** In seconds. */
  startTimeInSeconds?: number;
  summaryId: string;
  userId?: string;
};

export type OAuthError = {
  error: string;
  error_description: string;
};

/** What sensors measured at one moment. Fields that are not known may come. */
export type Sample = {
  /** In degrees Celsius. */
  airTemperatureCelcius?: number;
  /** In rounds per minute. */
  bikeCadenceInRPM?: number;
  /** In seconds. */
  clockDurationInSeconds?: number;
  directWheelchairCadence?: number;
  /** In metres. */
  elevationInMeters?: number;
  heartRate?: number;
  /** In degrees. */
  latitudeInDegree?: number;
  /** In degrees. */
  longitudeInDegree?: number;
  /** In seconds. */
  movingDurationInSeconds?: number;
  /** In watts. */
  powerInWatts?: number;
  speedMetersPerSecond?: number;
  /** In seconds. */
  startTimeInSeconds: number;
  stepsPerMinute?: number;
  /** In strokes per minute. */
  swimCadenceInStrokesPerMinute?: number;
  /** In seconds. */
  timerDurationInSeconds?: number;
  /** In metres. */
  totalDistanceInMeters?: number;
};

export type Tokens = {
  access_token: string;
  /** In seconds. */
  expires_in: number;
  jti?: string;
  /** The old one is dead. */
  refresh_token: string;
  /** In seconds. */
  refresh_token_expires_in: number;
  scope?: string;
  token_type: "bearer";
};

export class Garmin extends Client {
  /** Ask for history. */
  backfillActivities(query: {
    summaryEndTimeInSeconds: number;
    summaryStartTimeInSeconds: number;
  }): Promise<void>;

  /** Ask for history. */
  backfillActivityDetails(query: {
    summaryEndTimeInSeconds: number;
    summaryStartTimeInSeconds: number;
  }): Promise<void>;

  /** Ask for history. */
  backfillMoveIQ(query: {
    summaryEndTimeInSeconds: number;
    summaryStartTimeInSeconds: number;
  }): Promise<void>;

  /** The form of that page. */
  consent(query: {
    client_id: string;
    code_challenge: string;
    code_challenge_method: "S256";
    redirect_uri?: string;
    response_type: "code";
    state?: string;
  }, form: {
    answer: "agree" | "deny";
    permission?: Array<string>;
    /** A user of the fake. */
    user?: string;
  }): Promise<{ location: string }>;

  /** Disconnect the user. */
  deregister(): Promise<void>;

  /** Download a file, once. The URL comes with a ping and can be used for 24 hours, once. */
  downloadFile(query: {
    id: string;
    token: string;
  }): Promise<Uint8Array>;

  /** Disconnect the user. */
  gatewayDeregister(): Promise<void>;

  /** What the user grants. */
  gatewayGetPermissions(): Promise<{
    permissions: Array<string>;
  }>;

  /** Whose token it is. */
  gatewayGetUserID(): Promise<{
    userId: string;
  }>;

  /** What the user grants. */
  getPermissions(): Promise<{
    permissions: Array<string>;
  }>;

  /** Tokens for a code, or for a refresh token. */
  getTokens(form: {
    client_id: string;
    client_secret: string;
    code?: string;
    code_verifier?: string;
    grant_type: "authorization_code" | "refresh_token";
    redirect_uri?: string;
    refresh_token?: string;
  }): Promise<Tokens>;

  /** Whose token it is. */
  getUserID(): Promise<{
    userId: string;
  }>;

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullActivities(query: {
    token?: string;
    uploadEndTimeInSeconds: number;
    uploadStartTimeInSeconds: number;
  }): Promise<Array<Activity>>;

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullActivityDetails(query: {
    token?: string;
    uploadEndTimeInSeconds: number;
    uploadStartTimeInSeconds: number;
  }): Promise<Array<ActivityDetails>>;

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullManuallyUpdatedActivities(query: {
    token?: string;
    uploadEndTimeInSeconds: number;
    uploadStartTimeInSeconds: number;
  }): Promise<Array<Activity>>;

  /** Pull what was uploaded in a range of time. The URL comes with a ping. */
  pullMoveIQ(query: {
    token?: string;
    uploadEndTimeInSeconds: number;
    uploadStartTimeInSeconds: number;
  }): Promise<Array<MoveIQ>>;

  /** The page on which a user consents. */
  showConsent(query: {
    client_id: string;
    code_challenge: string;
    code_challenge_method: "S256";
    redirect_uri?: string;
    response_type: "code";
    state?: string;
  }): Promise<string>;
}
