package worker

import "github.com/kustiq/kustiq/internal/bus"

// guessAhead is how many objects an unbounded list is taken to hold still: Stripe gives no totals and cannot list from
// the oldest.
const guessAhead = 1000

// covered estimates how much of a section has been read, from 0 to 1. Lists run from the newest to the oldest, so with
// both ends known it is the share of the time between them; otherwise it only ever approaches 1.
func covered(s section, oldest, objects int64) float64 {
	from, until := s.params.CreatedGTE, s.params.CreatedLTE
	if from <= 0 || until <= from || oldest <= 0 {
		return float64(objects) / float64(objects+guessAhead)
	}
	return min(max(float64(until-oldest)/float64(until-from), 0), 1)
}

// percent weighs all sections alike: those done, and the part of the one being read. It never goes back, and 100 is
// kept for the end.
func percent(sections []section, p bus.Progress, current float64) int {
	if len(sections) == 0 {
		return p.Percent
	}
	done := 0
	for _, s := range sections {
		if p.Resources[s.name].Done {
			done++
		}
	}
	share := float64(done)
	if done < len(sections) {
		share += current
	}
	return max(p.Percent, min(int(100*share/float64(len(sections))), 99))
}
