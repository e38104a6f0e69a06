package report

import "time"

// Deliveries is one page of a workspace's log of churn events, newest first.
type Deliveries struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Livemode  bool      `json:"livemode"`
	// Next continues after this page when handed back as "after"; empty on the last page.
	Next       string     `json:"next,omitempty"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is one churn event on its way to one receiver, or what is kept of it. Its message is not shown.
type Delivery struct {
	// ID is for a re-send.
	ID       string `json:"id"`
	Event    string `json:"event"`
	Customer string `json:"customer"`
	// MessageID is what the receiver got as Webhook-Id.
	MessageID string `json:"message_id"`
	// Receiver is the same for all deliveries to one URL, Host the name of its host.
	Receiver string `json:"receiver"`
	Host     string `json:"host"`
	// Status is pending, delivered or given_up.
	Status string `json:"status"`
	// Attempts of this round: a re-send begins a new one.
	Attempts int `json:"attempts"`
	// ResponseCode is the last answer's; 0 without one. Failure says in one word why the last attempt failed.
	ResponseCode int       `json:"response_code,omitempty"`
	Failure      string    `json:"failure,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
	AttemptedAt  time.Time `json:"attempted_at,omitzero"`
	// NextAt is when a pending one is tried next.
	NextAt time.Time `json:"next_at,omitzero"`
}
