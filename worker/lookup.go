package worker

import "sync"

// lookUps counts the look-ups under way by connection.
type lookUps struct {
	mu    sync.Mutex
	under map[string]int
}

// lookUp runs a look-up, unless its connection has all of its share under way: it is put off then.
func (w *Worker) lookUp(connection string, run func() settlement) settlement {
	if !w.lookUps.begin(connection) {
		return settlement{outcome: "deferred", again: crowdedPause}
	}
	defer w.lookUps.end(connection)
	return run()
}

func (l *lookUps) begin(connection string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[connection] == lookUpShare {
		return false
	}
	l.under[connection]++
	return true
}

func (l *lookUps) end(connection string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[connection]--; l.under[connection] == 0 {
		delete(l.under, connection)
	}
}
