package activitytype

import "strconv"

// HealthConnect is an exercise type of Android's Health Connect, by the number
// in androidx.health.connect.client.records.ExerciseSessionRecord. The platform
// class android.health.connect.datatypes.ExerciseSessionType has other numbers.
type HealthConnect int

// String returns the constant's name, such as "EXERCISE_TYPE_RUNNING", or the
// number if there is none.
func (c HealthConnect) String() string {
	if name := healthConnectNames.name(int(c)); name != "" {
		return "EXERCISE_TYPE_" + name
	}
	return strconv.Itoa(int(c))
}

// HealthConnect returns the exercise type of Android's Health Connect for t.
// Every type has one. If exact, it means the same activity, and
// [FromHealthConnect] returns the canonical name of t. For an unknown type the
// result follows from the name, or is "other workout".
func (t Type) HealthConnect() (c HealthConnect, exact bool) {
	name, exact := healthConnect.value(t)
	return HealthConnect(healthConnectNames.number(name)), exact
}

// FromHealthConnect returns the type for an exercise type of Health Connect, or
// the nearest if Garmin has no such type or the exercise type is unknown.
func FromHealthConnect(c HealthConnect) (t Type, exact bool) {
	t, exact, _ = healthConnect.typ(healthConnectNames.name(int(c)))
	return t, exact
}

// healthConnectNames are the constants EXERCISE_TYPE_* of connect-client 1.1
// without that prefix.
var healthConnectNames = names{
	{0, "OTHER_WORKOUT"}, {2, "BADMINTON"}, {4, "BASEBALL"}, {5, "BASKETBALL"}, {8, "BIKING"},
	{9, "BIKING_STATIONARY"}, {10, "BOOT_CAMP"}, {11, "BOXING"}, {13, "CALISTHENICS"},
	{14, "CRICKET"}, {16, "DANCING"}, {25, "ELLIPTICAL"}, {26, "EXERCISE_CLASS"}, {27, "FENCING"},
	{28, "FOOTBALL_AMERICAN"}, {29, "FOOTBALL_AUSTRALIAN"}, {31, "FRISBEE_DISC"}, {32, "GOLF"},
	{33, "GUIDED_BREATHING"}, {34, "GYMNASTICS"}, {35, "HANDBALL"},
	{36, "HIGH_INTENSITY_INTERVAL_TRAINING"}, {37, "HIKING"}, {38, "ICE_HOCKEY"},
	{39, "ICE_SKATING"}, {44, "MARTIAL_ARTS"}, {46, "PADDLING"}, {47, "PARAGLIDING"},
	{48, "PILATES"}, {50, "RACQUETBALL"}, {51, "ROCK_CLIMBING"}, {52, "ROLLER_HOCKEY"},
	{53, "ROWING"}, {54, "ROWING_MACHINE"}, {55, "RUGBY"}, {56, "RUNNING"},
	{57, "RUNNING_TREADMILL"}, {58, "SAILING"}, {59, "SCUBA_DIVING"}, {60, "SKATING"},
	{61, "SKIING"}, {62, "SNOWBOARDING"}, {63, "SNOWSHOEING"}, {64, "SOCCER"}, {65, "SOFTBALL"},
	{66, "SQUASH"}, {68, "STAIR_CLIMBING"}, {69, "STAIR_CLIMBING_MACHINE"},
	{70, "STRENGTH_TRAINING"}, {71, "STRETCHING"}, {72, "SURFING"}, {73, "SWIMMING_OPEN_WATER"},
	{74, "SWIMMING_POOL"}, {75, "TABLE_TENNIS"}, {76, "TENNIS"}, {78, "VOLLEYBALL"},
	{79, "WALKING"}, {80, "WATER_POLO"}, {81, "WEIGHTLIFTING"}, {82, "WHEELCHAIR"}, {83, "YOGA"},
}

var healthConnect = platform[string]{
	exact: []pair[string]{
		{Running, "RUNNING"},
		{TreadmillRunning, "RUNNING_TREADMILL"},
		{Cycling, "BIKING"},
		{IndoorCycling, "BIKING_STATIONARY"},
		{Elliptical, "ELLIPTICAL"},
		{HIIT, "HIGH_INTENSITY_INTERVAL_TRAINING"},
		{IndoorRowing, "ROWING_MACHINE"},
		{Pilates, "PILATES"},
		{StairClimbing, "STAIR_CLIMBING_MACHINE"},
		{StrengthTraining, "STRENGTH_TRAINING"},
		{Yoga, "YOGA"},
		{LapSwimming, "SWIMMING_POOL"},
		{OpenWaterSwimming, "SWIMMING_OPEN_WATER"},
		{Walking, "WALKING"},
		{Hiking, "HIKING"},
		{SnowboardingWS, "SNOWBOARDING"},
		{Skating, "ICE_SKATING"},
		{SnowShoe, "SNOWSHOEING"},
		{Paddling, "PADDLING"},
		{Rowing, "ROWING"},
		{Sailing, "SAILING"},
		{Surfing, "SURFING"},
		{AmericanFootball, "FOOTBALL_AMERICAN"},
		{Baseball, "BASEBALL"},
		{Basketball, "BASKETBALL"},
		{Cricket, "CRICKET"},
		{IceHockey, "ICE_HOCKEY"},
		{Rugby, "RUGBY"},
		{Soccer, "SOCCER"},
		{Softball, "SOFTBALL"},
		{Volleyball, "VOLLEYBALL"},
		{Badminton, "BADMINTON"},
		{Racquetball, "RACQUETBALL"},
		{Squash, "SQUASH"},
		{TableTennis, "TABLE_TENNIS"},
		{Tennis, "TENNIS"},
		{Other, "OTHER_WORKOUT"},
		{Boxing, "BOXING"},
		{Breathwork, "GUIDED_BREATHING"},
		{Dance, "DANCING"},
		{FloorClimbing, "STAIR_CLIMBING"},
		{Golf, "GOLF"},
		{RockClimbing, "ROCK_CLIMBING"},
	},
	to: []pair[string]{
		{IndoorRunning, "RUNNING"},
		{ObstacleRun, "RUNNING"},
		{StreetRunning, "RUNNING"},
		{TrackRunning, "RUNNING"},
		{TrailRunning, "RUNNING"},
		{UltraRun, "RUNNING"},
		{VirtualRun, "RUNNING_TREADMILL"},
		{BMX, "BIKING"},
		{Cyclocross, "BIKING"},
		{DownhillBiking, "BIKING"},
		{EBikeFitness, "BIKING"},
		{EBikeMountain, "BIKING"},
		{EEnduroMTB, "BIKING"},
		{EnduroMTB, "BIKING"},
		{GravelCycling, "BIKING"},
		{MountainBiking, "BIKING"},
		{RecumbentCycling, "BIKING"},
		{RoadBiking, "BIKING"},
		{TrackCycling, "BIKING"},
		{VirtualRide, "BIKING_STATIONARY"},
		{Handcycling, "BIKING"},
		{IndoorHandcycling, "BIKING_STATIONARY"},
		{FitnessEquipment, "OTHER_WORKOUT"},
		{Bouldering, "ROCK_CLIMBING"},
		{IndoorCardio, "OTHER_WORKOUT"},
		{IndoorClimbing, "ROCK_CLIMBING"},
		{Mobility, "STRETCHING"},
		{Meditation, "GUIDED_BREATHING"},
		{Swimming, "SWIMMING_POOL"},
		{CasualWalking, "WALKING"},
		{SpeedWalking, "WALKING"},
		{IndoorWalking, "WALKING"},
		{Rucking, "HIKING"},
		{WinterSports, "OTHER_WORKOUT"},
		{BackcountrySnowboarding, "SNOWBOARDING"},
		{BackcountrySkiing, "SKIING"},
		{CrossCountrySkiing, "SKIING"},
		{ResortSkiing, "SKIING"},
		{ResortSkiingSnowboarding, "SKIING"},
		{SkateSkiing, "SKIING"},
		{SnowmobilingWS, "OTHER_WORKOUT"},
		{WaterSports, "OTHER_WORKOUT"},
		{Boating, "OTHER_WORKOUT"},
		{Fishing, "OTHER_WORKOUT"},
		{Kayaking, "PADDLING"},
		{Kiteboarding, "SURFING"},
		{OffshoreGrinding, "OTHER_WORKOUT"},
		{OnshoreGrinding, "OTHER_WORKOUT"},
		{Snorkeling, "OTHER_WORKOUT"},
		{StandUpPaddleboarding, "PADDLING"},
		{Wakeboarding, "OTHER_WORKOUT"},
		{Waterskiing, "OTHER_WORKOUT"},
		{WhitewaterRafting, "PADDLING"},
		{Windsurfing, "SURFING"},
		{Transition, "OTHER_WORKOUT"},
		{BikeToRunTransition, "OTHER_WORKOUT"},
		{RunToBikeTransition, "OTHER_WORKOUT"},
		{SwimToBikeTransition, "OTHER_WORKOUT"},
		{TeamSports, "OTHER_WORKOUT"},
		{FieldHockey, "OTHER_WORKOUT"},
		{Lacrosse, "OTHER_WORKOUT"},
		{UltimateDisc, "FRISBEE_DISC"},
		{RacketSports, "OTHER_WORKOUT"},
		{Paddelball, "OTHER_WORKOUT"},
		{Pickleball, "OTHER_WORKOUT"},
		{PlatformTennis, "TENNIS"},
		{DiscGolf, "FRISBEE_DISC"},
		{InlineSkating, "SKATING"},
		{JumpRope, "HIGH_INTENSITY_INTERVAL_TRAINING"},
		{MixedMartialArts, "MARTIAL_ARTS"},
		{Mountaineering, "ROCK_CLIMBING"},
		{StopWatch, "OTHER_WORKOUT"},
		{ParaSports, "OTHER_WORKOUT"},
		{WheelchairPushRun, "WHEELCHAIR"},
		{WheelchairPushWalk, "WHEELCHAIR"},
		{MultiSport, "OTHER_WORKOUT"},
		{Uncategorized, "OTHER_WORKOUT"},
		{AllActivities, "OTHER_WORKOUT"},
	},
	from: []pair[string]{
		{HIIT, "BOOT_CAMP"},
		{StrengthTraining, "CALISTHENICS"},
		{IndoorCardio, "EXERCISE_CLASS"},
		{Other, "FENCING"},
		{TeamSports, "FOOTBALL_AUSTRALIAN"},
		{UltimateDisc, "FRISBEE_DISC"},
		{Other, "GYMNASTICS"},
		{TeamSports, "HANDBALL"},
		{MixedMartialArts, "MARTIAL_ARTS"},
		{Other, "PARAGLIDING"},
		{TeamSports, "ROLLER_HOCKEY"},
		{WaterSports, "SCUBA_DIVING"},
		{InlineSkating, "SKATING"},
		{ResortSkiing, "SKIING"},
		{Mobility, "STRETCHING"},
		{TeamSports, "WATER_POLO"},
		{StrengthTraining, "WEIGHTLIFTING"},
		{WheelchairPushWalk, "WHEELCHAIR"},
	},
}
