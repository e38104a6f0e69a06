package store

import (
	"context"
	"fmt"
	"strings"
)

// sealPerson seals a person that Observe has found, and makes the tokens of a new identity.
func (t *Tx) sealPerson(r *CustomerRecord) error {
	if r.person == nil {
		t.indexOlder(r)
		return nil
	}
	key, err := t.dataKey(r.Workspace)
	if err != nil {
		return fmt.Errorf("save customers: %w", err)
	}
	id := identity{Email: r.person.Email, Name: r.person.Name, ProfileID: r.person.ProfileID}
	if !r.indexed(key, id) {
		r.index(key, id)
	}
	r.identity.sealed, err = sealIdentity(key, r.CustomerKey, id)
	return err
}

// indexed says that the customer is found by this name and address already, as it is after most changes at Stripe.
func (r *CustomerRecord) indexed(key *dataKey, id identity) bool {
	if r.searchBits == noBits {
		return false
	}
	var before identity
	if len(r.identity.sealed) > 0 {
		var err error
		if before, err = unsealIdentity(key, r.CustomerKey, r.identity.sealed); err != nil {
			return false
		}
	}
	return before.Name == id.Name && before.Email == id.Email
}

func (r *CustomerRecord) index(key *dataKey, id identity) {
	tokens := tokensOf(key, id)
	r.tokens, r.searchBits = &tokens, bitsOf(strings.Fields(tokens))
}

// indexOlder makes the bits, and the tokens, of a customer from before there were any. It waits where the transaction has
// not opened the workspace.
func (t *Tx) indexOlder(r *CustomerRecord) {
	if r.searchBits != noBits {
		return
	}
	if len(r.identity.sealed) == 0 {
		r.searchBits = 0
		return
	}
	key, err := t.dataKey(r.Workspace)
	if err != nil {
		return
	}
	if id, err := unsealIdentity(key, r.CustomerKey, r.identity.sealed); err == nil {
		r.index(key, id)
	}
}

// saveTokens writes what new identities are found by. Most batches have none.
func (t *Tx) saveTokens(ctx context.Context, records []*CustomerRecord) error {
	var changed []*CustomerRecord
	for _, r := range records {
		if r.tokens != nil {
			changed = append(changed, r)
		}
	}
	_, err := t.execMany(ctx, statement{
		head:  `INSERT INTO search_tokens (workspace, livemode, customer, tokens) VALUES `,
		tuple: `(?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, customer) DO UPDATE SET tokens = excluded.tokens
			WHERE search_tokens.tokens <> excluded.tokens`,
	}, len(changed), func(i int) []any {
		r := changed[i]
		return []any{r.Workspace, bit(r.Livemode), r.Customer, *r.tokens}
	})
	if err != nil {
		return fmt.Errorf("save what customers are found by: %w", err)
	}
	return nil
}
