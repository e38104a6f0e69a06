package report

import "time"

// Model is a workspace's model: what its scores are made with, how well that tells who leaves, and what becomes of a fit
// that was asked for.
type Model struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	// Livemode is false as long as the workspace has only ever received test data, which then has the model.
	Livemode bool `json:"livemode"`
	// Card describes the model in use.
	Card ModelCard `json:"card"`
	Run  ModelRun  `json:"run"`
	// Versions are the models there have been, the newest first, 100 at most.
	Versions []ModelVersion `json:"versions"`
}

// Kinds of a model.
const (
	// ModelPrior is the prior as it is published.
	ModelPrior = "prior"
	// ModelIntercept is the prior, moved to the workspace's own level of churn.
	ModelIntercept = "intercept"
	// ModelFitted has weights fitted from the workspace's own history.
	ModelFitted = "fitted"
)

// ModelVersion is one model that a workspace has had.
type ModelVersion struct {
	Version   string    `json:"version"`
	Kind      string    `json:"kind"`
	CreatedAt time.Time `json:"created_at"`
	Reason    string    `json:"reason,omitempty"`
	// Figures are those of its card; nil when there was too little to measure.
	Figures *Figures `json:"figures,omitempty"`
}

// States of a ModelRun.
const (
	// RunWaiting has nothing to do before NextAt.
	RunWaiting = "waiting"
	// RunAsked is waiting for an engine that takes it up.
	RunAsked = "asked"
	// RunRunning is being worked on.
	RunRunning = "running"
	// RunFailed failed the last time and is tried again at NextAt.
	RunFailed = "failed"
)

// ModelRun says where a workspace's fitting stands.
type ModelRun struct {
	State string `json:"state"`
	// Phase of a running one: reading, fitting or saving.
	Phase string `json:"phase,omitempty"`
	// Done and Total count the customers read so far and in all.
	Done       int       `json:"done,omitempty"`
	Total      int       `json:"total,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Result of the last finished run in words.
	Result string `json:"result,omitempty"`
	// NextAt is when the next run is due.
	NextAt time.Time `json:"next_at,omitzero"`
}

// ModelCard tells what a model is and how it was found.
type ModelCard struct {
	Version   string    `json:"version"`
	Kind      string    `json:"kind"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// CheckedAt is when it was last compared with the workspace's history.
	CheckedAt time.Time `json:"checked_at,omitzero"`
	// Reason says why it is this model and no other.
	Reason string `json:"reason"`
	// Intercept moves every customer's baseline, in log-odds.
	Intercept float64       `json:"intercept"`
	Weights   []ModelWeight `json:"weights"`
	Panel     PanelSummary  `json:"panel"`
	// Figures were measured on the newest 60 days with parameters from before them; nil when there was too little.
	Figures *Figures `json:"figures,omitempty"`
	// Calibration compares, by tenths of the customers in order of risk, what was expected with what happened.
	Calibration []CalibrationBin `json:"calibration,omitempty"`
	// Test is the last test of fitted weights against the prior's; nil before the first.
	Test *ModelTest `json:"test,omitempty"`
}

// ModelWeight is one weight in log-odds.
type ModelWeight struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
	Prior  float64 `json:"prior"`
	// Basis is "fitted" where the workspace's history has moved the weight, else "prior".
	Basis string `json:"basis"`
}

// PanelSummary counts the history that a model rests on. Its rows are customers as they stood every seven days.
type PanelSummary struct {
	Customers int `json:"customers"`
	Rows      int `json:"rows"`
	// Churns counts cancellations, each once.
	Churns int `json:"churns"`
	// From and To are the first and the last day of rows; their outcome is known 30 days after To.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Share of the workspace's customers that was read; below 1 for very large workspaces.
	Share float64 `json:"share"`
}

// Figures say how well a model tells who leaves within 30 days.
type Figures struct {
	// Rows, Customers and Churns that it was measured on; a churn counts once.
	Rows      int `json:"rows"`
	Customers int `json:"customers"`
	Churns    int `json:"churns"`
	// Rate is the share of rows whose customer left, and Expected what the model expected it to be.
	Rate     float64 `json:"rate"`
	Expected float64 `json:"expected"`
	LogLoss  float64 `json:"log_loss"`
	// AUC is the chance that of two customers, one of whom left, the one who left has the higher score.
	AUC   float64 `json:"auc"`
	PRAUC float64 `json:"pr_auc"`
	// Lift10 is how many times more often than all the riskiest tenth left.
	Lift10 float64 `json:"lift_10"`
	// BrierSkill is the share of the squared error that is taken off by knowing more than the rate.
	BrierSkill float64 `json:"brier_skill"`
	// ECE is the mean distance between what was expected and what happened, over the calibration bins.
	ECE float64 `json:"ece"`
}

// CalibrationBin is a group of rows with like probabilities.
type CalibrationBin struct {
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Rows     int     `json:"rows"`
	Expected float64 `json:"expected"`
	Observed float64 `json:"observed"`
}

// ModelTest compares fitted weights with the prior's on days that neither was fitted on.
type ModelTest struct {
	At       time.Time `json:"at"`
	Accepted bool      `json:"accepted"`
	// Reasons say what stood in the way of fitted weights; empty when accepted.
	Reasons []string `json:"reasons,omitempty"`
	// Train and Test are the first and the last day of rows of each part.
	TrainFrom time.Time `json:"train_from,omitzero"`
	TrainTo   time.Time `json:"train_to,omitzero"`
	TestFrom  time.Time `json:"test_from,omitzero"`
	TestTo    time.Time `json:"test_to,omitzero"`
	// Customers and Churns of the training part.
	Customers int `json:"customers"`
	Churns    int `json:"churns"`
	// Gain is the share of the prior's log loss that fitting took off, and Better the share of resamplings in which it
	// took off any.
	Gain   float64 `json:"gain"`
	Better float64 `json:"better"`
	// Seed of the resamplings; "kustiq eval --seed" repeats them.
	Seed uint64 `json:"seed"`
	// Fitted and Prior are measured on the test part; nil when it never came to that.
	Fitted *Figures `json:"fitted,omitempty"`
	Prior  *Figures `json:"prior,omitempty"`
	// Intercept and Weights are those that were tested.
	Intercept float64       `json:"intercept"`
	Weights   []ModelWeight `json:"weights,omitempty"`
}
