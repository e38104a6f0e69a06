package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// Changes returns a mark that is another one after each transaction that changed a customer of the workspace. It is
// cheap to ask for, and means nothing but that.
func (s *Store) Changes(ctx context.Context, workspace string) (mark string, err error) {
	mark = "none"
	err = s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil || !ok {
			return err
		}
		var n int64
		err = q.row(ctx, `SELECT changes FROM totals WHERE workspace = ? AND livemode = ?`,
			w.scope.Workspace, bit(w.scope.Livemode)).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		mark = strconv.FormatInt(n, 10) + "." + strconv.Itoa(bit(w.scope.Livemode))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read whether something changed: %w", err)
	}
	return mark, nil
}
