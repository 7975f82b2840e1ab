package otel

// scope is the name of the instrumentation.
const scope = "github.com/garminkit/activityapi/otel"

// Names of the stable conventions for HTTP.
const (
	serverDuration = "http.server.request.duration"
	clientDuration = "http.client.request.duration"

	keyMethod   = "http.request.method"
	keyStatus   = "http.response.status_code"
	keyRoute    = "http.route"
	keyScheme   = "url.scheme"
	keyTemplate = "url.template"
	keyAddress  = "server.address"
	keyPort     = "server.port"
	keyProtocol = "network.protocol.version"
	keyBodySize = "http.request.body.size"
	keyError    = "error.type"
)

// Names of the draft conventions for messaging, version 1.43.
const (
	sentMessages    = "messaging.client.sent.messages"
	processDuration = "messaging.process.duration"

	keySystem        = "messaging.system"
	keyDestination   = "messaging.destination.name"
	keyOperation     = "messaging.operation.name"
	keyOperationType = "messaging.operation.type"
	keyMessage       = "messaging.message.id"
	keyMessageSize   = "messaging.message.body.size"

	opSend    = "send"
	opProcess = "process"
)

// Names that no convention defines.
const (
	itemResults   = "garmin.item.results"
	itemAge       = "garmin.item.age"
	queueUp       = "garmin.queue.up"
	queueItems    = "garmin.queue.items"
	queueOldest   = "garmin.queue.oldest.age"
	queueBodies   = "garmin.queue.bodies"
	queueLetters  = "garmin.queue.letters"
	queueSize     = "garmin.queue.size"
	workItems     = "garmin.processor.items"
	workSlow      = "garmin.processor.slow"
	workHung      = "garmin.processor.hung"
	workLeft      = "garmin.processor.deadline.left"
	workParked    = "garmin.processor.parked.users"
	workShares    = "garmin.processor.shares"
	workOutage    = "garmin.processor.outage.age"
	limiterFree   = "garmin.limiter.free"
	limiterLimit  = "garmin.limiter.limit"
	tokenRefresh  = "garmin.token.refreshes"
	spoolSyncs    = "garmin.spool.syncs"
	spoolPuts     = "garmin.spool.puts"
	spoolRepeats  = "garmin.spool.repeats"
	spoolDamaged  = "garmin.spool.damaged"
	spoolUnread   = "garmin.spool.unreadable"
	driftFindings = "garmin.drift.findings"

	keyClass    = "garmin.class"
	keyList     = "garmin.list"
	keyResult   = "garmin.result"
	keyState    = "garmin.state"
	keyFault    = "garmin.fault"
	keyOutcome  = "garmin.outcome"
	keyBody     = "garmin.body"
	keyAttempt  = "garmin.attempt"
	keyCallback = "garmin.callback"
	keyPulled   = "garmin.pulled"
)

// system is the value of messaging.system.
const system = "activityapi"
