package model

import (
	"fmt"
	"math/rand/v2"

	"github.com/kustiq/kustiq/internal/report"
)

// What fitted weights need, and what they must show (model text, section 7).
const (
	leastCustomers  = 200
	leastChurns     = 30
	leastDays       = 120
	testDays        = 60
	gapDays         = 30
	leastTestChurns = 15
	leastGain       = 0.005
	leastBetter     = 0.9
	mostAUCLost     = 0.01
	mostECEGained   = 0.01
	resamplings     = 200
	runningDays     = 30
)

const landmarkDays = week / day

// newest is the part of a span that begins some days before its end.
func (s span) newest(days int32) span {
	return span{first: max(s.first, s.last-days/landmarkDays+1), last: s.last}
}

// before is the part of a span whose outcomes were known some days before another part begins.
func (s span) before(part span) span {
	return span{first: s.first, last: part.first - (gapDays+landmarkDays-1)/landmarkDays}
}

// test fits weights on all but the newest days and compares them with the prior's on these. Both have an intercept of
// the same older days. The verdict is complete but for its instant; its weights are those to accept.
func (p *Panel) test(random *rand.Rand) (fitted, report.ModelTest) {
	whole := p.all()
	newest := whole.newest(testDays)
	train := whole.before(newest)
	t := report.ModelTest{}
	refuse := func(format string, values ...any) { t.Reasons = append(t.Reasons, fmt.Sprintf(format, values...)) }

	if !train.empty() {
		_, t.Customers, t.Churns = p.counts(train)
		t.TrainFrom, t.TrainTo = timeOf(train.first), timeOf(train.last)
	}
	if !whole.empty() {
		t.TestFrom, t.TestTo = timeOf(newest.first), timeOf(newest.last)
	}
	if t.Customers < leastCustomers {
		refuse("%d customers to fit on, and %d are needed", t.Customers, leastCustomers)
	}
	if t.Churns < leastChurns {
		refuse("%d cancellations to fit on, and %d are needed", t.Churns, leastChurns)
	}
	if days := train.days(); days < leastDays {
		refuse("%d days to fit on, and %d are needed", days, leastDays)
	}
	_, _, churns := p.counts(newest)
	if churns < leastTestChurns {
		refuse("%d cancellations in the newest %d days to test on, and %d are needed", churns, testDays, leastTestChurns)
	}
	if len(t.Reasons) > 0 {
		return fitted{}, t
	}
	own, err := p.fit(train)
	if err != nil {
		refuse("%v", err)
		return fitted{}, t
	}
	published := prior()
	published.intercept = p.fitIntercept(train, published.weights)
	t.Fitted, _ = p.figures(newest, &own)
	t.Prior, _ = p.figures(newest, &published)
	t.Intercept, t.Weights = own.intercept, weightsOf(&own)
	if t.Fitted == nil || t.Prior == nil {
		refuse("everybody in the newest %d days left", testDays)
		return own, t
	}
	t.Gain = (t.Prior.LogLoss - t.Fitted.LogLoss) / t.Prior.LogLoss
	t.Better = better(p.predict(newest, &own), p.predict(newest, &published), len(p.customers), random)
	if t.Gain < leastGain {
		refuse("log loss %.2f %% better than the prior's, and %.1f %% is needed", 100*t.Gain, 100*leastGain)
	}
	if t.Better < leastBetter {
		refuse("better in %.0f %% of %d resamplings of the customers, and %.0f %% are needed", 100*t.Better, resamplings, 100*leastBetter)
	}
	t.Reasons = append(t.Reasons, beyond(t.Fitted, t.Prior)...)
	// Otherwise it would be rolled back the next day.
	if worse, lost := p.running(&own); worse {
		refuse("log loss of the newest %d days is %.2f %% worse than the prior's", runningDays, 100*lost)
	}
	t.Accepted = len(t.Reasons) == 0
	return own, t
}

// beyond says which limits of rank and calibration figures exceed.
func beyond(mine, priors *report.Figures) (reasons []string) {
	if mine.AUC < priors.AUC-mostAUCLost {
		reasons = append(reasons, fmt.Sprintf("AUC %.3f is more than %.2f below the prior's %.3f", mine.AUC, mostAUCLost, priors.AUC))
	}
	if mine.ECE > priors.ECE+mostECEGained {
		reasons = append(reasons, fmt.Sprintf("calibration error %.3f is more than %.2f above the prior's %.3f", mine.ECE, mostECEGained, priors.ECE))
	}
	return reasons
}

// exceeds holds weights in use to the limits that new ones are held to, on the same days and beside the same prior.
func (p *Panel) exceeds(f *fitted, priors *report.Figures) []string {
	whole := p.all()
	newest := whole.newest(testDays)
	own := *f
	own.intercept = p.fitIntercept(whole.before(newest), own.weights)
	mine, _ := p.figures(newest, &own)
	if mine == nil || priors == nil {
		return nil
	}
	return beyond(mine, priors)
}

// better is the share of resamplings of the customers in which a has the lower loss. Both list the same rows.
func better(a, b []predicted, customers int, random *rand.Rand) float64 {
	gains, present := make([]float64, customers), make([]bool, customers)
	for i := range a {
		gains[a[i].customer] += b[i].loss() - a[i].loss()
		present[a[i].customer] = true
	}
	kept := gains[:0]
	for c, gain := range gains {
		if present[c] {
			kept = append(kept, gain)
		}
	}
	wins := 0
	for range resamplings {
		sum := 0.0
		for range kept {
			sum += kept[random.IntN(len(kept))]
		}
		if sum > 0 {
			wins++
		}
	}
	return float64(wins) / resamplings
}

// running compares weights with the prior's on the newest 30 days, each with an intercept of older days. lost is the
// share of the prior's log loss that the weights add.
func (p *Panel) running(f *fitted) (worse bool, lost float64) {
	whole := p.all()
	if whole.empty() {
		return false, 0
	}
	newest := whole.newest(runningDays)
	older := whole.before(newest)
	own, published := *f, prior()
	own.intercept, published.intercept = p.fitIntercept(older, own.weights), p.fitIntercept(older, published.weights)
	mine, _ := p.figures(newest, &own)
	theirs, _ := p.figures(newest, &published)
	if mine == nil || theirs == nil {
		return false, 0
	}
	lost = (mine.LogLoss - theirs.LogLoss) / theirs.LogLoss
	return lost > 0, lost
}
