package activitytype

// FIT is the sport and sub-sport of a FIT file: two numbers of the FIT profile.
type FIT struct {
	Sport    uint8
	SubSport uint8 // 0 is generic
}

// FIT returns the sport and sub-sport of a FIT file for t. Every type has one. If
// exact, it means the same activity, and [FromFIT] returns the canonical name of
// t. For an unknown type the result follows from the name, or is generic.
func (t Type) FIT() (f FIT, exact bool) { return fit.value(t) }

// FromFIT returns the type for the sport and sub-sport of a FIT file, or for the
// sport alone if Garmin has none for both. A sub-sport of 255 means that none was
// set.
func FromFIT(f FIT) (t Type, exact bool) {
	if f.SubSport == 0xFF {
		f.SubSport = 0
	}
	t, exact, ok := fit.typ(f)
	if !ok && f.SubSport != 0 {
		t, _, _ = fit.typ(FIT{Sport: f.Sport})
	}
	return t, exact
}

// fit holds the sports of FIT profile 21.212, as Garmin's devices write them.
var fit = platform[FIT]{
	exact: []pair[FIT]{
		{Running, FIT{1, 0}},
		{IndoorRunning, FIT{1, 45}},
		{ObstacleRun, FIT{1, 59}},
		{StreetRunning, FIT{1, 2}},
		{TrackRunning, FIT{1, 4}},
		{TrailRunning, FIT{1, 3}},
		{TreadmillRunning, FIT{1, 1}},
		{UltraRun, FIT{1, 67}},
		{VirtualRun, FIT{1, 58}},
		{Cycling, FIT{2, 0}},
		{BMX, FIT{2, 29}},
		{Cyclocross, FIT{2, 11}},
		{DownhillBiking, FIT{2, 9}},
		{EBikeFitness, FIT{21, 28}},
		{EBikeMountain, FIT{21, 47}},
		{EEnduroMTB, FIT{21, 127}},
		{EnduroMTB, FIT{2, 123}},
		{GravelCycling, FIT{2, 46}},
		{IndoorCycling, FIT{2, 6}},
		{MountainBiking, FIT{2, 8}},
		{RecumbentCycling, FIT{2, 10}},
		{RoadBiking, FIT{2, 7}},
		{TrackCycling, FIT{2, 13}},
		{VirtualRide, FIT{2, 58}},
		{Handcycling, FIT{2, 12}},
		{IndoorHandcycling, FIT{2, 88}},
		{FitnessEquipment, FIT{4, 0}},
		{Bouldering, FIT{31, 69}},
		{Elliptical, FIT{4, 15}},
		{IndoorCardio, FIT{10, 26}},
		{HIIT, FIT{62, 70}},
		{IndoorClimbing, FIT{31, 68}},
		{IndoorRowing, FIT{4, 14}},
		{Mobility, FIT{86, 0}},
		{Pilates, FIT{10, 44}},
		{StairClimbing, FIT{4, 16}},
		{StrengthTraining, FIT{10, 20}},
		{Yoga, FIT{10, 43}},
		{Meditation, FIT{67, 0}},
		{Swimming, FIT{5, 0}},
		{LapSwimming, FIT{5, 17}},
		{OpenWaterSwimming, FIT{5, 18}},
		{Walking, FIT{11, 0}},
		{IndoorWalking, FIT{11, 27}},
		{CasualWalking, FIT{11, 30}},
		{SpeedWalking, FIT{11, 31}},
		{Hiking, FIT{17, 0}},
		{Rucking, FIT{17, 124}},
		{WinterSports, FIT{58, 0}},
		{BackcountrySnowboarding, FIT{14, 37}},
		{BackcountrySkiing, FIT{13, 37}},
		{CrossCountrySkiing, FIT{12, 0}},
		{ResortSkiing, FIT{13, 38}},
		{SnowboardingWS, FIT{14, 0}},
		{SkateSkiing, FIT{12, 42}},
		{Skating, FIT{33, 0}},
		{SnowShoe, FIT{35, 0}},
		{SnowmobilingWS, FIT{36, 0}},
		{WaterSports, FIT{78, 0}},
		{Boating, FIT{23, 0}},
		{Fishing, FIT{29, 0}},
		{Kayaking, FIT{41, 0}},
		{Kiteboarding, FIT{44, 0}},
		{Paddling, FIT{19, 0}},
		{Rowing, FIT{15, 0}},
		{Sailing, FIT{32, 0}},
		{Snorkeling, FIT{82, 0}},
		{StandUpPaddleboarding, FIT{37, 0}},
		{Surfing, FIT{38, 0}},
		{Wakeboarding, FIT{39, 0}},
		{Waterskiing, FIT{40, 0}},
		{WhitewaterRafting, FIT{42, 41}},
		{Windsurfing, FIT{43, 0}},
		{Transition, FIT{3, 0}},
		{BikeToRunTransition, FIT{3, 32}},
		{RunToBikeTransition, FIT{3, 33}},
		{SwimToBikeTransition, FIT{3, 34}},
		{TeamSports, FIT{70, 0}},
		{AmericanFootball, FIT{9, 0}},
		{Baseball, FIT{49, 0}},
		{Basketball, FIT{6, 0}},
		{Cricket, FIT{71, 0}},
		{FieldHockey, FIT{73, 90}},
		{IceHockey, FIT{73, 91}},
		{Lacrosse, FIT{74, 0}},
		{Rugby, FIT{72, 0}},
		{Soccer, FIT{7, 0}},
		{UltimateDisc, FIT{70, 92}},
		{Volleyball, FIT{75, 0}},
		{RacketSports, FIT{64, 0}},
		{Badminton, FIT{64, 95}},
		{Paddelball, FIT{64, 85}},
		{Pickleball, FIT{64, 84}},
		{PlatformTennis, FIT{64, 93}},
		{Racquetball, FIT{64, 96}},
		{Squash, FIT{64, 94}},
		{TableTennis, FIT{64, 97}},
		{Tennis, FIT{8, 0}},
		{Other, FIT{0, 0}},
		{Boxing, FIT{47, 0}},
		{Breathwork, FIT{10, 62}},
		{Dance, FIT{83, 0}},
		{DiscGolf, FIT{69, 0}},
		{FloorClimbing, FIT{48, 0}},
		{Golf, FIT{25, 0}},
		{InlineSkating, FIT{30, 0}},
		{JumpRope, FIT{84, 0}},
		{MixedMartialArts, FIT{80, 0}},
		{Mountaineering, FIT{16, 0}},
		{RockClimbing, FIT{31, 0}},
		{ParaSports, FIT{68, 0}},
		{WheelchairPushRun, FIT{66, 0}},
		{WheelchairPushWalk, FIT{65, 0}},
		{MultiSport, FIT{18, 0}},
	},
	to: []pair[FIT]{
		{ResortSkiingSnowboarding, FIT{13, 38}},
		{OffshoreGrinding, FIT{59, 0}},
		{OnshoreGrinding, FIT{59, 71}},
		{Softball, FIT{70, 0}},
		{StopWatch, FIT{0, 0}},
		{Uncategorized, FIT{0, 0}},
		{AllActivities, FIT{0, 0}},
	},
	from: []pair[FIT]{
		// Sports without an activity type of Garmin's.
		{IndoorCardio, FIT{10, 0}},    // training
		{ResortSkiing, FIT{13, 0}},    // alpine skiing
		{SnowboardingWS, FIT{14, 38}}, // resort
		{EBikeFitness, FIT{21, 0}},    // e-biking
		{HIIT, FIT{62, 0}},
		{WhitewaterRafting, FIT{42, 0}},
		{WhitewaterRafting, FIT{41, 41}}, // kayaking in white water
		{OffshoreGrinding, FIT{59, 0}},
		{OnshoreGrinding, FIT{59, 71}}, // indoor grinding
		{FieldHockey, FIT{73, 0}},
		{Other, FIT{20, 0}},        // flying
		{Other, FIT{22, 0}},        // motorcycling
		{Other, FIT{24, 0}},        // driving
		{Other, FIT{26, 0}},        // hang gliding
		{Other, FIT{27, 0}},        // horseback riding
		{Other, FIT{28, 0}},        // hunting
		{Other, FIT{34, 0}},        // sky diving
		{Other, FIT{45, 0}},        // tactical
		{Other, FIT{46, 0}},        // jumpmaster
		{WaterSports, FIT{53, 0}},  // diving
		{Other, FIT{56, 0}},        // shooting
		{Other, FIT{63, 0}},        // video gaming
		{WaterSports, FIT{76, 0}},  // water tubing
		{Wakeboarding, FIT{77, 0}}, // wakesurfing
		{Other, FIT{79, 0}},        // archery
		{Other, FIT{81, 0}},        // motor sports
		{WaterSports, FIT{85, 0}},  // pool apnea
		{Other, FIT{87, 0}},        // geocaching
		{Paddling, FIT{88, 0}},     // canoeing
		{AllActivities, FIT{254, 0}},
		{AllActivities, FIT{254, 254}},
		// The same activity under another sport.
		{TreadmillRunning, FIT{4, 1}},
		{IndoorCycling, FIT{4, 6}},
		{IndoorWalking, FIT{4, 27}},
		{Pilates, FIT{4, 44}},
		{IndoorCycling, FIT{2, 5}}, // spin
		{EBikeFitness, FIT{2, 28}},
		{EBikeMountain, FIT{2, 47}},
		{EEnduroMTB, FIT{2, 127}},
		{IndoorRowing, FIT{15, 14}},
		{Mobility, FIT{10, 19}}, // flexibility training
		{HIIT, FIT{10, 70}},
	},
}
