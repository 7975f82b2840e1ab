package activitytype

import "strconv"

// HealthKit is an HKWorkoutActivityType of Apple's HealthKit, by its raw value.
type HealthKit int

// String returns the constant's name, such as "HKWorkoutActivityTypeRunning",
// as Apple's export of health data has it, or the number if there is none.
func (k HealthKit) String() string {
	if name := healthKitNames.name(int(k)); name != "" {
		return "HKWorkoutActivityType" + name
	}
	return strconv.Itoa(int(k))
}

// HealthKit returns the workout activity type of Apple's HealthKit for t. Every
// type has one. If exact, it means the same activity, and [FromHealthKit] returns
// the canonical name of t. HealthKit notes in a workout's metadata, not in its
// type, whether it was indoors. For an unknown type the result follows from the
// name, or is "Other".
func (t Type) HealthKit() (k HealthKit, exact bool) {
	name, exact := healthKit.value(t)
	return HealthKit(healthKitNames.number(name)), exact
}

// FromHealthKit returns the type for a workout type of HealthKit, or the nearest
// if Garmin has no such type or the workout type is unknown.
func FromHealthKit(k HealthKit) (t Type, exact bool) {
	t, exact, _ = healthKit.typ(healthKitNames.name(int(k)))
	return t, exact
}

// names maps a platform's numbers to its names for them.
type names []struct {
	number int
	name   string
}

func (n names) name(number int) string {
	for i := range n {
		if n[i].number == number {
			return n[i].name
		}
	}
	return ""
}

func (n names) number(name string) int {
	for i := range n {
		if n[i].name == name {
			return n[i].number
		}
	}
	return -1
}

// healthKitNames are the constants of HKWorkoutActivityType (iOS 17) without
// that prefix. 81 was never published.
var healthKitNames = names{
	{1, "AmericanFootball"}, {2, "Archery"}, {3, "AustralianFootball"}, {4, "Badminton"},
	{5, "Baseball"}, {6, "Basketball"}, {7, "Bowling"}, {8, "Boxing"}, {9, "Climbing"},
	{10, "Cricket"}, {11, "CrossTraining"}, {12, "Curling"}, {13, "Cycling"}, {14, "Dance"},
	{15, "DanceInspiredTraining"}, {16, "Elliptical"}, {17, "EquestrianSports"}, {18, "Fencing"},
	{19, "Fishing"}, {20, "FunctionalStrengthTraining"}, {21, "Golf"}, {22, "Gymnastics"},
	{23, "Handball"}, {24, "Hiking"}, {25, "Hockey"}, {26, "Hunting"}, {27, "Lacrosse"},
	{28, "MartialArts"}, {29, "MindAndBody"}, {30, "MixedMetabolicCardioTraining"},
	{31, "PaddleSports"}, {32, "Play"}, {33, "PreparationAndRecovery"}, {34, "Racquetball"},
	{35, "Rowing"}, {36, "Rugby"}, {37, "Running"}, {38, "Sailing"}, {39, "SkatingSports"},
	{40, "SnowSports"}, {41, "Soccer"}, {42, "Softball"}, {43, "Squash"}, {44, "StairClimbing"},
	{45, "SurfingSports"}, {46, "Swimming"}, {47, "TableTennis"}, {48, "Tennis"},
	{49, "TrackAndField"}, {50, "TraditionalStrengthTraining"}, {51, "Volleyball"},
	{52, "Walking"}, {53, "WaterFitness"}, {54, "WaterPolo"}, {55, "WaterSports"},
	{56, "Wrestling"}, {57, "Yoga"}, {58, "Barre"}, {59, "CoreTraining"},
	{60, "CrossCountrySkiing"}, {61, "DownhillSkiing"}, {62, "Flexibility"},
	{63, "HighIntensityIntervalTraining"}, {64, "JumpRope"}, {65, "Kickboxing"}, {66, "Pilates"},
	{67, "Snowboarding"}, {68, "Stairs"}, {69, "StepTraining"}, {70, "WheelchairWalkPace"},
	{71, "WheelchairRunPace"}, {72, "TaiChi"}, {73, "MixedCardio"}, {74, "HandCycling"},
	{75, "DiscSports"}, {76, "FitnessGaming"}, {77, "CardioDance"}, {78, "SocialDance"},
	{79, "Pickleball"}, {80, "Cooldown"}, {82, "SwimBikeRun"}, {83, "Transition"},
	{84, "UnderwaterDiving"}, {3000, "Other"},
}

var healthKit = platform[string]{
	exact: []pair[string]{
		{Running, "Running"},
		{Cycling, "Cycling"},
		{Handcycling, "HandCycling"},
		{Elliptical, "Elliptical"},
		{HIIT, "HighIntensityIntervalTraining"},
		{Pilates, "Pilates"},
		{StairClimbing, "StairClimbing"},
		{StrengthTraining, "TraditionalStrengthTraining"},
		{Yoga, "Yoga"},
		{Swimming, "Swimming"},
		{Walking, "Walking"},
		{Hiking, "Hiking"},
		{WinterSports, "SnowSports"},
		{ResortSkiing, "DownhillSkiing"},
		{SnowboardingWS, "Snowboarding"},
		{WaterSports, "WaterSports"},
		{Fishing, "Fishing"},
		{Paddling, "PaddleSports"},
		{Rowing, "Rowing"},
		{Sailing, "Sailing"},
		{Transition, "Transition"},
		{AmericanFootball, "AmericanFootball"},
		{Baseball, "Baseball"},
		{Basketball, "Basketball"},
		{Cricket, "Cricket"},
		{Lacrosse, "Lacrosse"},
		{Rugby, "Rugby"},
		{Soccer, "Soccer"},
		{Softball, "Softball"},
		{Volleyball, "Volleyball"},
		{Badminton, "Badminton"},
		{Pickleball, "Pickleball"},
		{Racquetball, "Racquetball"},
		{Squash, "Squash"},
		{TableTennis, "TableTennis"},
		{Tennis, "Tennis"},
		{Other, "Other"},
		{Boxing, "Boxing"},
		{Golf, "Golf"},
		{JumpRope, "JumpRope"},
		{WheelchairPushRun, "WheelchairRunPace"},
		{WheelchairPushWalk, "WheelchairWalkPace"},
	},
	to: []pair[string]{
		{IndoorRunning, "Running"},
		{ObstacleRun, "Running"},
		{StreetRunning, "Running"},
		{TrackRunning, "Running"},
		{TrailRunning, "Running"},
		{TreadmillRunning, "Running"},
		{UltraRun, "Running"},
		{VirtualRun, "Running"},
		{BMX, "Cycling"},
		{Cyclocross, "Cycling"},
		{DownhillBiking, "Cycling"},
		{EBikeFitness, "Cycling"},
		{EBikeMountain, "Cycling"},
		{EEnduroMTB, "Cycling"},
		{EnduroMTB, "Cycling"},
		{GravelCycling, "Cycling"},
		{IndoorCycling, "Cycling"},
		{MountainBiking, "Cycling"},
		{RecumbentCycling, "Cycling"},
		{RoadBiking, "Cycling"},
		{TrackCycling, "Cycling"},
		{VirtualRide, "Cycling"},
		{IndoorHandcycling, "HandCycling"},
		{FitnessEquipment, "Other"},
		{Bouldering, "Climbing"},
		{IndoorCardio, "MixedCardio"},
		{IndoorClimbing, "Climbing"},
		{IndoorRowing, "Rowing"},
		{Mobility, "Flexibility"},
		{Meditation, "MindAndBody"},
		{LapSwimming, "Swimming"},
		{OpenWaterSwimming, "Swimming"},
		{CasualWalking, "Walking"},
		{SpeedWalking, "Walking"},
		{IndoorWalking, "Walking"},
		{Rucking, "Hiking"},
		{BackcountrySnowboarding, "Snowboarding"},
		{BackcountrySkiing, "SnowSports"},
		{CrossCountrySkiing, "CrossCountrySkiing"},
		{ResortSkiingSnowboarding, "DownhillSkiing"},
		{SkateSkiing, "CrossCountrySkiing"},
		{Skating, "SkatingSports"},
		{SnowShoe, "SnowSports"},
		{SnowmobilingWS, "SnowSports"},
		{Boating, "WaterSports"},
		{Kayaking, "PaddleSports"},
		{Kiteboarding, "SurfingSports"},
		{OffshoreGrinding, "WaterSports"},
		{OnshoreGrinding, "WaterSports"},
		{Snorkeling, "WaterSports"},
		{StandUpPaddleboarding, "PaddleSports"},
		{Surfing, "SurfingSports"},
		{Wakeboarding, "WaterSports"},
		{Waterskiing, "WaterSports"},
		{WhitewaterRafting, "PaddleSports"},
		{Windsurfing, "SurfingSports"},
		{BikeToRunTransition, "Transition"},
		{RunToBikeTransition, "Transition"},
		{SwimToBikeTransition, "Transition"},
		{TeamSports, "Other"},
		{FieldHockey, "Hockey"},
		{IceHockey, "Hockey"},
		{UltimateDisc, "DiscSports"},
		{RacketSports, "Other"},
		{Paddelball, "Other"},
		{PlatformTennis, "Tennis"},
		{Breathwork, "MindAndBody"},
		{Dance, "CardioDance"},
		{DiscGolf, "DiscSports"},
		{FloorClimbing, "Stairs"},
		{InlineSkating, "SkatingSports"},
		{MixedMartialArts, "MartialArts"},
		{Mountaineering, "Climbing"},
		{RockClimbing, "Climbing"},
		{StopWatch, "Other"},
		{ParaSports, "Other"},
		{MultiSport, "SwimBikeRun"},
		{Uncategorized, "Other"},
		{AllActivities, "Other"},
	},
	from: []pair[string]{
		{Other, "Archery"},
		{TeamSports, "AustralianFootball"},
		{Other, "Bowling"},
		{RockClimbing, "Climbing"},
		{IndoorCardio, "CrossTraining"},
		{WinterSports, "Curling"},
		{Dance, "Dance"},
		{Dance, "DanceInspiredTraining"},
		{Other, "EquestrianSports"},
		{Other, "Fencing"},
		{StrengthTraining, "FunctionalStrengthTraining"},
		{Other, "Gymnastics"},
		{TeamSports, "Handball"},
		{FieldHockey, "Hockey"},
		{Other, "Hunting"},
		{MixedMartialArts, "MartialArts"},
		{Meditation, "MindAndBody"},
		{IndoorCardio, "MixedMetabolicCardioTraining"},
		{Other, "Play"},
		{Mobility, "PreparationAndRecovery"},
		{Skating, "SkatingSports"},
		{Surfing, "SurfingSports"},
		{Other, "TrackAndField"},
		{WaterSports, "WaterFitness"},
		{TeamSports, "WaterPolo"},
		{MixedMartialArts, "Wrestling"},
		{Other, "Barre"},
		{StrengthTraining, "CoreTraining"},
		{CrossCountrySkiing, "CrossCountrySkiing"},
		{Mobility, "Flexibility"},
		{MixedMartialArts, "Kickboxing"},
		{FloorClimbing, "Stairs"},
		{IndoorCardio, "StepTraining"},
		{Other, "TaiChi"},
		{IndoorCardio, "MixedCardio"},
		{UltimateDisc, "DiscSports"},
		{Other, "FitnessGaming"},
		{Dance, "CardioDance"},
		{Dance, "SocialDance"},
		{Other, "Cooldown"},
		{MultiSport, "SwimBikeRun"},
		{WaterSports, "UnderwaterDiving"},
	},
}
