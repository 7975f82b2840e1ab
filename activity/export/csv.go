package export

import "io"

// csvHeader names the columns, with the units.
const csvHeader = "track,segment,lap,time,latitude,longitude,elevation_m,distance_m,speed_m_s,heart_rate_bpm," +
	"steps_per_min,bike_rpm,swim_strokes_per_min,pushes_per_min,power_w,temperature_c,source\n"

// WriteCSV writes tracks as comma-separated values with a header, one line for
// each sample, even without a position. Tracks, segments and laps count from 1.
// A new segment begins where something was hidden. The last column is the
// attribution.
func WriteCSV(out io.Writer, o *Options, tracks ...*Track) error {
	all, err := passages(o, tracks, false)
	if err != nil {
		return err
	}
	w := newWriter(out)
	w.text(csvHeader)
	for i, p := range all {
		source := `,"` + p.o.attribution(p.Track) + "\"\n" // which has no quotation marks
		segment := 1
		begun := false
		for pt, err := range p.points() {
			if err != nil {
				return err
			}
			if pt.cut && begun {
				segment++
			}
			begun = true
			w.int(i + 1)
			w.text(",")
			w.int(segment)
			w.text(",")
			w.int(pt.lap + 1)
			w.text(",")
			w.time(pt.time)
			for _, f := range [...]*float64{
				pt.LatitudeInDegree, pt.LongitudeInDegree, pt.ElevationInMeters, pt.TotalDistanceInMeters,
				pt.SpeedMetersPerSecond,
			} {
				w.field(f)
			}
			w.text(",")
			if pt.HeartRate != nil {
				w.int(*pt.HeartRate)
			}
			for _, f := range [...]*float64{
				pt.StepsPerMinute, pt.BikeCadenceInRPM, pt.SwimCadenceInStrokesPerMinute, pt.DirectWheelchairCadence,
				pt.PowerInWatts, pt.AirTemperatureCelcius,
			} {
				w.field(f)
			}
			w.text(source)
		}
	}
	return w.flush()
}

func (w *writer) field(f *float64) {
	w.text(",")
	if f != nil {
		w.number(*f)
	}
}
