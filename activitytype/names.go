package activitytype

// The names of Appendix A, in its order, then those that only payloads show.
// Garmin's spelling is kept even where it is odd (PADDELBALL, STOP_WATCH).
const (
	Running          Type = "RUNNING"
	IndoorRunning    Type = "INDOOR_RUNNING"
	ObstacleRun      Type = "OBSTACLE_RUN"
	StreetRunning    Type = "STREET_RUNNING"
	TrackRunning     Type = "TRACK_RUNNING"
	TrailRunning     Type = "TRAIL_RUNNING"
	TreadmillRunning Type = "TREADMILL_RUNNING"
	UltraRun         Type = "ULTRA_RUN"
	VirtualRun       Type = "VIRTUAL_RUN"

	Cycling           Type = "CYCLING"
	BMX               Type = "BMX"
	Cyclocross        Type = "CYCLOCROSS"
	DownhillBiking    Type = "DOWNHILL_BIKING"
	EBikeFitness      Type = "E_BIKE_FITNESS"
	EBikeMountain     Type = "E_BIKE_MOUNTAIN"
	EEnduroMTB        Type = "E_ENDURO_MTB"
	EnduroMTB         Type = "ENDURO_MTB"
	GravelCycling     Type = "GRAVEL_CYCLING"
	IndoorCycling     Type = "INDOOR_CYCLING"
	MountainBiking    Type = "MOUNTAIN_BIKING"
	RecumbentCycling  Type = "RECUMBENT_CYCLING"
	RoadBiking        Type = "ROAD_BIKING"
	TrackCycling      Type = "TRACK_CYCLING"
	VirtualRide       Type = "VIRTUAL_RIDE"
	Handcycling       Type = "HANDCYCLING"
	IndoorHandcycling Type = "INDOOR_HANDCYCLING"

	FitnessEquipment Type = "FITNESS_EQUIPMENT"
	Bouldering       Type = "BOULDERING"
	Elliptical       Type = "ELLIPTICAL"
	IndoorCardio     Type = "INDOOR_CARDIO"
	HIIT             Type = "HIIT"
	IndoorClimbing   Type = "INDOOR_CLIMBING"
	IndoorRowing     Type = "INDOOR_ROWING"
	Mobility         Type = "MOBILITY"
	Pilates          Type = "PILATES"
	StairClimbing    Type = "STAIR_CLIMBING"
	StrengthTraining Type = "STRENGTH_TRAINING"
	Yoga             Type = "YOGA"
	Meditation       Type = "MEDITATION"

	Swimming          Type = "SWIMMING"
	LapSwimming       Type = "LAP_SWIMMING"
	OpenWaterSwimming Type = "OPEN_WATER_SWIMMING"

	Walking       Type = "WALKING"
	CasualWalking Type = "CASUAL_WALKING"
	SpeedWalking  Type = "SPEED_WALKING"

	Hiking  Type = "HIKING"
	Rucking Type = "RUCKING"

	WinterSports               Type = "WINTER_SPORTS"
	BackcountrySnowboarding    Type = "BACKCOUNTRY_SNOWBOARDING"
	BackcountrySkiing          Type = "BACKCOUNTRY_SKIING"
	CrossCountrySkiingWS       Type = "CROSS_COUNTRY_SKIING_WS"
	ResortSkiing               Type = "RESORT_SKIING"
	SnowboardingWS             Type = "SNOWBOARDING_WS"
	ResortSkiingSnowboardingWS Type = "RESORT_SKIING_SNOWBOARDING_WS"
	SkateSkiingWS              Type = "SKATE_SKIING_WS"
	SkatingWS                  Type = "SKATING_WS"
	SnowShoeWS                 Type = "SNOW_SHOE_WS"
	SnowmobilingWS             Type = "SNOWMOBILING_WS"

	WaterSports             Type = "WATER_SPORTS"
	Boating                 Type = "BOATING"
	BoatingV2               Type = "BOATING_V2"
	Fishing                 Type = "FISHING"
	FishingV2               Type = "FISHING_V2"
	Kayaking                Type = "KAYAKING"
	KayakingV2              Type = "KAYAKING_V2"
	Kiteboarding            Type = "KITEBOARDING"
	KiteboardingV2          Type = "KITEBOARDING_V2"
	OffshoreGrinding        Type = "OFFSHORE_GRINDING"
	OffshoreGrindingV2      Type = "OFFSHORE_GRINDING_V2"
	OnshoreGrinding         Type = "ONSHORE_GRINDING"
	OnshoreGrindingV2       Type = "ONSHORE_GRINDING_V2"
	Paddling                Type = "PADDLING"
	PaddlingV2              Type = "PADDLING_V2"
	Rowing                  Type = "ROWING"
	RowingV2                Type = "ROWING_V2"
	Sailing                 Type = "SAILING"
	SailingV2               Type = "SAILING_V2"
	Snorkeling              Type = "SNORKELING"
	StandUpPaddleboarding   Type = "STAND_UP_PADDLEBOARDING"
	StandUpPaddleboardingV2 Type = "STAND_UP_PADDLEBOARDING_V2"
	Surfing                 Type = "SURFING"
	SurfingV2               Type = "SURFING_V2"
	Wakeboarding            Type = "WAKEBOARDING"
	WakeboardingV2          Type = "WAKEBOARDING_V2"
	Waterskiing             Type = "WATERSKIING"
	WhitewaterRafting       Type = "WHITEWATER_RAFTING"
	WhitewaterRaftingV2     Type = "WHITEWATER_RAFTING_V2"
	Windsurfing             Type = "WINDSURFING"
	WindsurfingV2           Type = "WINDSURFING_V2"

	TransitionV2           Type = "TRANSITION_V2"
	BikeToRunTransition    Type = "BIKE_TO_RUN_TRANSITION"
	BikeToRunTransitionV2  Type = "BIKE_TO_RUN_TRANSITION_V2"
	RunToBikeTransition    Type = "RUN_TO_BIKE_TRANSITION"
	RunToBikeTransitionV2  Type = "RUN_TO_BIKE_TRANSITION_V2"
	SwimToBikeTransition   Type = "SWIM_TO_BIKE_TRANSITION"
	SwimToBikeTransitionV2 Type = "SWIM_TO_BIKE_TRANSITION_V2"

	TeamSports       Type = "TEAM_SPORTS"
	AmericanFootball Type = "AMERICAN_FOOTBALL"
	Baseball         Type = "BASEBALL"
	Basketball       Type = "BASKETBALL"
	Cricket          Type = "CRICKET"
	FieldHockey      Type = "FIELD_HOCKEY"
	IceHockey        Type = "ICE_HOCKEY"
	Lacrosse         Type = "LACROSSE"
	Rugby            Type = "RUGBY"
	Soccer           Type = "SOCCER"
	Softball         Type = "SOFTBALL"
	UltimateDisc     Type = "ULTIMATE_DISC"
	Volleyball       Type = "VOLLEYBALL"

	RacketSports   Type = "RACKET_SPORTS"
	Badminton      Type = "BADMINTON"
	Paddelball     Type = "PADDELBALL"
	Pickleball     Type = "PICKLEBALL"
	PlatformTennis Type = "PLATFORM_TENNIS"
	Racquetball    Type = "RACQUETBALL"
	Squash         Type = "SQUASH"
	TableTennis    Type = "TABLE_TENNIS"
	Tennis         Type = "TENNIS"
	TennisV2       Type = "TENNIS_V2"

	Other            Type = "OTHER"
	Boxing           Type = "BOXING"
	Breathwork       Type = "BREATHWORK"
	Dance            Type = "DANCE"
	DiscGolf         Type = "DISC_GOLF"
	FloorClimbing    Type = "FLOOR_CLIMBING"
	Golf             Type = "GOLF"
	InlineSkating    Type = "INLINE_SKATING"
	JumpRope         Type = "JUMP_ROPE"
	MixedMartialArts Type = "MIXED_MARTIAL_ARTS"
	Mountaineering   Type = "MOUNTAINEERING"
	RockClimbing     Type = "ROCK_CLIMBING"
	StopWatch        Type = "STOP_WATCH"

	ParaSports         Type = "PARA_SPORTS"
	WheelchairPushRun  Type = "WHEELCHAIR_PUSH_RUN"
	WheelchairPushWalk Type = "WHEELCHAIR_PUSH_WALK"

	MultiSport Type = "MULTI_SPORT"

	Transition Type = "TRANSITION"

	CrossCountrySkiing       Type = "CROSS_COUNTRY_SKIING"
	ResortSkiingSnowboarding Type = "RESORT_SKIING_SNOWBOARDING"
	SkateSkiing              Type = "SKATE_SKIING"
	Skating                  Type = "SKATING"
	SnowShoe                 Type = "SNOW_SHOE"

	Uncategorized Type = "UNCATEGORIZED"
	AllActivities Type = "ALL"

	IndoorWalking Type = "INDOOR_WALKING"

	SwimToBikeTransitionJoined Type = "SWIMTOBIKETRANSITION"
	BikeToRunTransitionJoined  Type = "BIKETORUNTRANSITION"
	RunToBikeTransitionJoined  Type = "RUNTOBIKETRANSITION"
)

// row holds what is known of a name.
type row struct {
	typ       Type
	canonical Type
	group     Group
	name      string
}

// table holds every known name in the order of the constants. It is never
// written to.
var table = [...]row{
	{Running, Running, GroupRunning, "Running"},
	{IndoorRunning, IndoorRunning, GroupRunning, "Indoor Running"},
	{ObstacleRun, ObstacleRun, GroupRunning, "Obstacle Course Racing"},
	{StreetRunning, StreetRunning, GroupRunning, "Street Running"},
	{TrackRunning, TrackRunning, GroupRunning, "Track Running"},
	{TrailRunning, TrailRunning, GroupRunning, "Trail Running"},
	{TreadmillRunning, TreadmillRunning, GroupRunning, "Treadmill Running"},
	{UltraRun, UltraRun, GroupRunning, "Ultra Running"},
	{VirtualRun, VirtualRun, GroupRunning, "Virtual Running"},
	{Cycling, Cycling, GroupCycling, "Cycling"},
	{BMX, BMX, GroupCycling, "BMX"},
	{Cyclocross, Cyclocross, GroupCycling, "Cyclocross"},
	{DownhillBiking, DownhillBiking, GroupCycling, "Downhill Biking"},
	{EBikeFitness, EBikeFitness, GroupCycling, "eBiking"},
	{EBikeMountain, EBikeMountain, GroupCycling, "eMountain Biking"},
	{EEnduroMTB, EEnduroMTB, GroupCycling, "eEnduro Mountain Biking"},
	{EnduroMTB, EnduroMTB, GroupCycling, "Enduro Mountain Biking"},
	{GravelCycling, GravelCycling, GroupCycling, "Gravel/Unpaved Cycling"},
	{IndoorCycling, IndoorCycling, GroupCycling, "Indoor Cycling"},
	{MountainBiking, MountainBiking, GroupCycling, "Mountain Biking"},
	{RecumbentCycling, RecumbentCycling, GroupCycling, "Recumbent Cycling"},
	{RoadBiking, RoadBiking, GroupCycling, "Road Cycling"},
	{TrackCycling, TrackCycling, GroupCycling, "Track Cycling"},
	{VirtualRide, VirtualRide, GroupCycling, "Virtual Cycling"},
	{Handcycling, Handcycling, GroupCycling, "Handcycling"},
	{IndoorHandcycling, IndoorHandcycling, GroupCycling, "Indoor Handcycling"},
	{FitnessEquipment, FitnessEquipment, GroupGym, "Gym & Fitness Equipment"},
	{Bouldering, Bouldering, GroupGym, "Bouldering"},
	{Elliptical, Elliptical, GroupGym, "Elliptical"},
	{IndoorCardio, IndoorCardio, GroupGym, "Cardio"},
	{HIIT, HIIT, GroupGym, "HIIT"},
	{IndoorClimbing, IndoorClimbing, GroupGym, "Indoor Climbing"},
	{IndoorRowing, IndoorRowing, GroupGym, "Indoor Rowing"},
	{Mobility, Mobility, GroupGym, "Mobility"},
	{Pilates, Pilates, GroupGym, "Pilates"},
	{StairClimbing, StairClimbing, GroupGym, "Stair Stepper"},
	{StrengthTraining, StrengthTraining, GroupGym, "Strength Training"},
	{Yoga, Yoga, GroupGym, "Yoga"},
	{Meditation, Meditation, GroupGym, "Meditation"},
	{Swimming, Swimming, GroupSwimming, "Swimming"},
	{LapSwimming, LapSwimming, GroupSwimming, "Pool Swimming"},
	{OpenWaterSwimming, OpenWaterSwimming, GroupSwimming, "Open Water Swimming"},
	{Walking, Walking, GroupWalking, "Walking/Indoor Walking"},
	{CasualWalking, CasualWalking, GroupWalking, "Casual Walking"},
	{SpeedWalking, SpeedWalking, GroupWalking, "Speed Walking"},
	{Hiking, Hiking, GroupHiking, "Hiking"},
	{Rucking, Rucking, GroupHiking, "Rucking"},
	{WinterSports, WinterSports, GroupWinter, "Winter Sports"},
	{BackcountrySnowboarding, BackcountrySnowboarding, GroupWinter, "Backcountry Snowboarding"},
	{BackcountrySkiing, BackcountrySkiing, GroupWinter, "Backcountry Skiing"},
	{CrossCountrySkiingWS, CrossCountrySkiing, GroupWinter, "Cross Country Classic Skiing"},
	{ResortSkiing, ResortSkiing, GroupWinter, "Resort Skiing"},
	{SnowboardingWS, SnowboardingWS, GroupWinter, "Snowboarding"},
	{ResortSkiingSnowboardingWS, ResortSkiingSnowboarding, GroupWinter, "Resort Skiing/Snowboarding"},
	{SkateSkiingWS, SkateSkiing, GroupWinter, "Cross Country Skate Skiing"},
	{SkatingWS, Skating, GroupWinter, "Skating"},
	{SnowShoeWS, SnowShoe, GroupWinter, "Snowshoeing"},
	{SnowmobilingWS, SnowmobilingWS, GroupWinter, "Snowmobiling"},
	{WaterSports, WaterSports, GroupWater, "Water Sports"},
	{Boating, Boating, GroupWater, "Boating"},
	{BoatingV2, Boating, GroupWater, "Boating"},
	{Fishing, Fishing, GroupWater, "Fishing"},
	{FishingV2, Fishing, GroupWater, "Fishing"},
	{Kayaking, Kayaking, GroupWater, "Kayaking"},
	{KayakingV2, Kayaking, GroupWater, "Kayaking"},
	{Kiteboarding, Kiteboarding, GroupWater, "Kiteboarding"},
	{KiteboardingV2, Kiteboarding, GroupWater, "Kiteboarding"},
	{OffshoreGrinding, OffshoreGrinding, GroupWater, "Offshore Grinding"},
	{OffshoreGrindingV2, OffshoreGrinding, GroupWater, "Offshore Grinding"},
	{OnshoreGrinding, OnshoreGrinding, GroupWater, "Onshore Grinding"},
	{OnshoreGrindingV2, OnshoreGrinding, GroupWater, "Onshore Grinding"},
	{Paddling, Paddling, GroupWater, "Paddling"},
	{PaddlingV2, Paddling, GroupWater, "Paddling"},
	{Rowing, Rowing, GroupWater, "Rowing"},
	{RowingV2, Rowing, GroupWater, "Rowing"},
	{Sailing, Sailing, GroupWater, "Sailing"},
	{SailingV2, Sailing, GroupWater, "Sailing"},
	{Snorkeling, Snorkeling, GroupWater, "Snorkeling"},
	{StandUpPaddleboarding, StandUpPaddleboarding, GroupWater, "Stand Up Paddleboarding"},
	{StandUpPaddleboardingV2, StandUpPaddleboarding, GroupWater, "Stand Up Paddleboarding"},
	{Surfing, Surfing, GroupWater, "Surfing"},
	{SurfingV2, Surfing, GroupWater, "Surfing"},
	{Wakeboarding, Wakeboarding, GroupWater, "Wakeboarding"},
	{WakeboardingV2, Wakeboarding, GroupWater, "Wakeboarding"},
	{Waterskiing, Waterskiing, GroupWater, "Waterskiing"},
	{WhitewaterRafting, WhitewaterRafting, GroupWater, "Whitewater"},
	{WhitewaterRaftingV2, WhitewaterRafting, GroupWater, "Whitewater"},
	{Windsurfing, Windsurfing, GroupWater, "Windsurfing"},
	{WindsurfingV2, Windsurfing, GroupWater, "Windsurfing"},
	{TransitionV2, Transition, GroupTransition, "Transition"},
	{BikeToRunTransition, BikeToRunTransition, GroupTransition, "Bike to Run Transition"},
	{BikeToRunTransitionV2, BikeToRunTransition, GroupTransition, "Bike to Run Transition"},
	{RunToBikeTransition, RunToBikeTransition, GroupTransition, "Run to Bike Transition"},
	{RunToBikeTransitionV2, RunToBikeTransition, GroupTransition, "Run to Bike Transition"},
	{SwimToBikeTransition, SwimToBikeTransition, GroupTransition, "Swim to Bike Transition"},
	{SwimToBikeTransitionV2, SwimToBikeTransition, GroupTransition, "Swim to Bike Transition"},
	{TeamSports, TeamSports, GroupTeam, "Team Sports"},
	{AmericanFootball, AmericanFootball, GroupTeam, "American Football"},
	{Baseball, Baseball, GroupTeam, "Baseball"},
	{Basketball, Basketball, GroupTeam, "Basketball"},
	{Cricket, Cricket, GroupTeam, "Cricket"},
	{FieldHockey, FieldHockey, GroupTeam, "Field Hockey"},
	{IceHockey, IceHockey, GroupTeam, "Ice Hockey"},
	{Lacrosse, Lacrosse, GroupTeam, "Lacrosse"},
	{Rugby, Rugby, GroupTeam, "Rugby"},
	{Soccer, Soccer, GroupTeam, "Soccer/Football"},
	{Softball, Softball, GroupTeam, "Softball"},
	{UltimateDisc, UltimateDisc, GroupTeam, "Ultimate Disc"},
	{Volleyball, Volleyball, GroupTeam, "Volleyball"},
	{RacketSports, RacketSports, GroupRacket, "Racket Sports"},
	{Badminton, Badminton, GroupRacket, "Badminton"},
	{Paddelball, Paddelball, GroupRacket, "Padel"},
	{Pickleball, Pickleball, GroupRacket, "Pickleball"},
	{PlatformTennis, PlatformTennis, GroupRacket, "Platform Tennis"},
	{Racquetball, Racquetball, GroupRacket, "Racquetball"},
	{Squash, Squash, GroupRacket, "Squash"},
	{TableTennis, TableTennis, GroupRacket, "Table Tennis"},
	{Tennis, Tennis, GroupRacket, "Tennis"},
	{TennisV2, Tennis, GroupRacket, "Tennis"},
	{Other, Other, GroupOther, "Other"},
	{Boxing, Boxing, GroupOther, "Boxing"},
	{Breathwork, Breathwork, GroupOther, "Breathwork"},
	{Dance, Dance, GroupOther, "Dance"},
	{DiscGolf, DiscGolf, GroupOther, "Disc Golf"},
	{FloorClimbing, FloorClimbing, GroupOther, "Floor Climbing"},
	{Golf, Golf, GroupOther, "Golf"},
	{InlineSkating, InlineSkating, GroupOther, "Inline Skating"},
	{JumpRope, JumpRope, GroupOther, "Jump Rope"},
	{MixedMartialArts, MixedMartialArts, GroupOther, "Mixed Martial Arts"},
	{Mountaineering, Mountaineering, GroupOther, "Mountaineering"},
	{RockClimbing, RockClimbing, GroupOther, "Rock Climbing"},
	{StopWatch, StopWatch, GroupOther, "Stopwatch"},
	{ParaSports, ParaSports, GroupPara, "Para Sports"},
	{WheelchairPushRun, WheelchairPushRun, GroupPara, "Wheelchair Push Run"},
	{WheelchairPushWalk, WheelchairPushWalk, GroupPara, "Wheelchair Push Walk"},
	{MultiSport, MultiSport, GroupMultisport, "Multisport"},
	{Transition, Transition, GroupTransition, "Transition"},
	{CrossCountrySkiing, CrossCountrySkiing, GroupWinter, "Cross Country Classic Skiing"},
	{ResortSkiingSnowboarding, ResortSkiingSnowboarding, GroupWinter, "Resort Skiing/Snowboarding"},
	{SkateSkiing, SkateSkiing, GroupWinter, "Cross Country Skate Skiing"},
	{Skating, Skating, GroupWinter, "Skating"},
	{SnowShoe, SnowShoe, GroupWinter, "Snowshoeing"},
	{Uncategorized, Uncategorized, GroupOther, "Uncategorized"},
	{AllActivities, AllActivities, GroupOther, "All"},
	{IndoorWalking, IndoorWalking, GroupWalking, "Indoor Walking"},
	{SwimToBikeTransitionJoined, SwimToBikeTransition, GroupTransition, "Swim to Bike Transition"},
	{BikeToRunTransitionJoined, BikeToRunTransition, GroupTransition, "Bike to Run Transition"},
	{RunToBikeTransitionJoined, RunToBikeTransition, GroupTransition, "Run to Bike Transition"},
}
