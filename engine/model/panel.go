package model

import (
	"math"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

const (
	day = 86400
	// week is the distance of two landmarks.
	week = 7 * day
	// outcome is how long after a landmark a cancellation counts, and how old a landmark is when that is known.
	outcome = 30 * day
	// rowWeight makes the rows whose outcomes overlap count as one.
	rowWeight = 7.0 / 30
	// maxHistory is how far back landmarks go: what moved customers earlier may not any more.
	maxHistory = 730 * day
)

// Panel holds customers as they stood at landmarks, every seven days at midnight UTC, with what became of them. Whoever
// had left, was about to, or had never paid is no row. It is made by NewPanel or ReadPanel.
type Panel struct {
	asOf int64
	// Share of the workspace's customers that was added.
	Share     float64
	customers []string
	rows      []row
	cells     []cell
}

// row is one customer at one landmark.
type row struct {
	customer int32
	// landmark is its number: unix time in weeks.
	landmark int32
	offset   float64
	// left is when the customer committed to leaving, the next time after the landmark; 0 when that is not known of.
	left int64
	// cells of the row end here and begin where those of the row before end.
	cells int
}

// cell is a feature that is not 0.
type cell struct {
	coefficient uint8
	value       float64
}

// NewPanel returns an empty panel of landmarks whose outcome is known at an instant.
func NewPanel(asOf time.Time) *Panel { return &Panel{asOf: asOf.Unix(), Share: 1} }

// Rows counts the rows.
func (p *Panel) Rows() int { return len(p.rows) }

// mature is the newest landmark whose outcome is known.
func (p *Panel) mature() int32 { return int32(floorDiv(p.asOf-outcome, week)) }

func floorDiv(a, b int64) int64 { return int64(math.Floor(float64(a) / float64(b))) }

func landmarkAt(n int32) int64 { return int64(n) * week }

func timeOf(n int32) time.Time { return time.Unix(landmarkAt(n), 0).UTC() }

// churned is the label: whether the customer committed to leaving within 30 days.
func (r *row) churned() bool { return r.left != 0 && r.left <= landmarkAt(r.landmark)+outcome }

// Add lays out one customer's history, whose signals may come in any order. A customer must be added once only.
func (p *Panel) Add(customer string, signals []signal.Signal) {
	ordered := scoring.Ordered(signals)
	if len(ordered) == 0 {
		return
	}
	a := adding{panel: p, customer: int32(len(p.customers)), pending: len(p.rows), state: scoring.Fold(nil)}
	before := len(p.rows)
	first := max(floorDiv(ordered[0].Created, week)+1, floorDiv(p.asOf-maxHistory, week))
	next := 0
	for n := int32(first); n <= p.mature(); n++ {
		for ; next < len(ordered) && ordered[next].Created <= landmarkAt(n); next++ {
			a.apply(&ordered[next])
		}
		a.landmark(n)
	}
	for ; next < len(ordered) && ordered[next].Created <= p.asOf; next++ {
		a.apply(&ordered[next])
	}
	if len(p.rows) > before {
		p.customers = append(p.customers, customer)
	}
}

// adding is one customer's way through time.
type adding struct {
	panel    *Panel
	customer int32
	state    *scoring.State
	// pending is the first row whose customer has not been seen to leave since.
	pending   int
	committed bool
}

func (a *adding) apply(s *signal.Signal) {
	a.state.Apply(*s)
	was := a.committed
	a.committed = a.state.Committed()
	if !a.committed || was {
		return
	}
	for i := a.pending; i < len(a.panel.rows); i++ {
		a.panel.rows[i].left = s.Created
	}
	a.pending = len(a.panel.rows)
}

func (a *adding) landmark(n int32) {
	f := a.state.Features(timeOf(n))
	if !f.Paying || f.Committed {
		return
	}
	p := a.panel
	for i, x := range f.Values {
		// Left out is what has faded beyond notice: a panel holds what is not 0.
		if math.Abs(x) >= faded {
			p.cells = append(p.cells, cell{uint8(i), x})
		}
	}
	p.rows = append(p.rows, row{customer: a.customer, landmark: n, offset: f.Offset, cells: len(p.cells)})
}

// faded is a feature that moves no score by a thousandth of a point.
const faded = 1e-5

// span are the landmarks from first to last, both included.
type span struct{ first, last int32 }

// all is the span of every row; empty when there are none.
func (p *Panel) all() span {
	s := span{first: math.MaxInt32, last: math.MinInt32}
	for i := range p.rows {
		s.first, s.last = min(s.first, p.rows[i].landmark), max(s.last, p.rows[i].landmark)
	}
	s.last = min(s.last, p.mature())
	return s
}

func (s span) empty() bool { return s.first > s.last }

// days is how long the span's rows and their outcomes take.
func (s span) days() int {
	if s.empty() {
		return 0
	}
	return int((landmarkAt(s.last) - landmarkAt(s.first) + outcome) / day)
}

// each calls with every row of a span and its cells.
func (p *Panel) each(s span, with func(r *row, cells []cell)) {
	begin := 0
	for i := range p.rows {
		r := &p.rows[i]
		if r.landmark >= s.first && r.landmark <= s.last {
			with(r, p.cells[begin:r.cells])
		}
		begin = r.cells
	}
}

// counts says how much a span holds; a cancellation counts once, however many rows see it coming.
func (p *Panel) counts(s span) (rows, customers, churns int) {
	type churn struct {
		customer int32
		at       int64
	}
	who, left := make([]bool, len(p.customers)), []churn{}
	p.each(s, func(r *row, _ []cell) {
		rows++
		if !who[r.customer] {
			who[r.customer] = true
			customers++
		}
		if r.churned() {
			left = append(left, churn{r.customer, r.left})
		}
	})
	slices.SortFunc(left, func(a, b churn) int {
		if a.customer != b.customer {
			return int(a.customer - b.customer)
		}
		return int(a.at - b.at)
	})
	return rows, customers, len(slices.Compact(left))
}
