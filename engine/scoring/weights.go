package scoring

// The weights of the model in log-odds, with half-lives in days. "data" and "prior" are each term's basis.
const (
	day = 86400.0

	// pointsPerLogOdds makes ten points double the odds: 10 / ln 2.
	pointsPerLogOdds = 14.427
	scoreAtEven      = 80
	highestNormal    = 88
	scoreLeaving     = 89
	lowestCritical   = 90
	criticalSpan     = 9
	scoreChurned     = 100
	atRiskTerms      = 0.7
	lowestP30        = 0.002
	highestP30       = 0.97
	leavingP30       = 0.90

	// baselineShift moves the published curve, which mixes all signals, to customers without any.
	baselineShift = -0.45

	// Open dunning (data): the weights rise with each failure.
	dunningFinal    = 0.8
	dunningHold     = 14 * 86400
	dunningHalfLife = 14.0
	criticalWindow  = 14 * 86400 // inclusive
	criticalAge     = 28 * 86400 // inclusive

	// Residual of recovered dunning (data).
	residualBase     = 1.1
	residualStep     = 0.2
	residualSteps    = 4
	residualShare    = 0.6
	residualHalfLife = 60.0

	// Price changes (prior).
	priceDown     = 0.9
	priceUp       = 0.6
	priceClip     = 1.5
	priceHalfLife = 60.0

	// Pause (data: 25–46 % of paused subscriptions are published never to return).
	pauseWeight    = 1.3
	resumedWeight  = 0.4
	pausedHalfLife = 30.0

	// Dispute (prior).
	disputeWeight   = 2.2
	disputeMax      = 3.0
	disputeHalfLife = 7.0

	// One of several subscriptions deleted, a cancellation withdrawn, a customer back (all prior).
	deletedWeight     = 1.2
	deletedHalfLife   = 30.0
	withdrawnWeight   = 0.9
	resubscribeWeight = 0.8
	returnHalfLife    = 60.0
)

// dunningWeight is W[n] for n = 1…6 and more failures.
var dunningWeight = [...]float64{1.9, 3.0, 3.4, 3.7, 3.95, 4.2}
