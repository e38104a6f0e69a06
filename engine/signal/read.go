package signal

// The read methods say which of Stripe's fields are read into the structs of payload.go. They name every field that
// Kustiq ever looks at.

// member reads one field of an object.
func (s *scanner) member(name string, read func()) {
	s.object(func(key []byte) {
		if string(key) != name {
			s.skip()
			return
		}
		read()
	})
}

func readInteger(into *int64, s *scanner) { s.integer(into) }

func readFlag(into *bool, s *scanner) { s.flag(into) }

func readWord(into *string, s *scanner) { s.word(into) }

func (c *customerObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&c.ID)
		case "created":
			s.integer(&c.Created)
		case "email":
			s.text(&c.Email)
		case "name":
			s.text(&c.Name)
		case "deleted":
			s.flag(&c.Deleted)
		case "metadata":
			s.member("kustiq_profile_id", func() { s.text(&c.Metadata.ProfileID) })
		default:
			s.skip()
		}
	})
}

func (o *subscriptionObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&o.ID)
		case "customer":
			o.Customer.read(s)
		case "status":
			s.word(&o.Status)
		case "currency":
			s.word(&o.Currency)
		case "start_date":
			s.integer(&o.StartDate)
		case "created":
			s.integer(&o.Created)
		case "start":
			s.integer(&o.Start)
		case "trial_end":
			s.integer(&o.TrialEnd)
		case "current_period_end":
			s.integer(&o.CurrentPeriodEnd)
		case "cancel_at_period_end":
			s.flag(&o.CancelAtPeriodEnd)
		case "cancel_at":
			s.integer(&o.CancelAt)
		case "ended_at":
			s.integer(&o.EndedAt)
		case "pause_collection":
			o.PauseCollection.read(s)
		case "items":
			o.Items.read(s)
		case "plan":
			one(s, &o.Plan, (*planObject).read)
		case "quantity":
			o.Quantity.read(s)
		case "discount":
			one(s, &o.Discount, (*discountObject).read)
		case "discounts":
			many(s, &o.Discounts, (*discountObject).read)
		default:
			s.skip()
		}
	})
}

func (p *previousAttributes) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "status":
			p.Status.read(s, readWord)
		case "current_period_end":
			p.CurrentPeriodEnd.read(s, readInteger)
		case "cancel_at_period_end":
			p.CancelAtPeriodEnd.read(s, readFlag)
		case "cancel_at":
			p.CancelAt.read(s, readInteger)
		case "pause_collection":
			p.PauseCollection.read(s, (*present).read)
		case "items":
			p.Items.read(s, (*itemList).read)
		case "plan":
			p.Plan.read(s, (*planObject).read)
		case "quantity":
			p.Quantity.read(s, (*decimal).read)
		default:
			s.skip()
		}
	})
}

func (l *itemList) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "data":
			many(s, &l.Data, (*itemObject).read)
		case "has_more":
			s.flag(&l.HasMore)
		default:
			s.skip()
		}
	})
}

func (i *itemObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&i.ID)
		case "price":
			one(s, &i.Price, (*priceObject).read)
		case "plan":
			one(s, &i.Plan, (*planObject).read)
		case "quantity":
			i.Quantity.read(s)
		case "current_period_end":
			s.integer(&i.CurrentPeriodEnd)
		case "discounts":
			many(s, &i.Discounts, (*discountObject).read)
		default:
			s.skip()
		}
	})
}

func (p *priceObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&p.ID)
		case "currency":
			s.word(&p.Currency)
		case "billing_scheme":
			s.word(&p.BillingScheme)
		case "unit_amount":
			p.UnitAmount.read(s)
		case "unit_amount_decimal":
			p.UnitAmountDecimal.read(s)
		case "recurring":
			one(s, &p.Recurring, (*recurringObject).read)
		case "transform_quantity":
			one(s, &p.Transform, (*transformObject).read)
		default:
			s.skip()
		}
	})
}

func (r *recurringObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "interval":
			s.word(&r.Interval)
		case "interval_count":
			s.integer(&r.IntervalCount)
		case "usage_type":
			s.word(&r.UsageType)
		default:
			s.skip()
		}
	})
}

func (p *planObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&p.ID)
		case "currency":
			s.word(&p.Currency)
		case "billing_scheme":
			s.word(&p.BillingScheme)
		case "amount":
			p.Amount.read(s)
		case "amount_decimal":
			p.AmountDecimal.read(s)
		case "interval":
			s.word(&p.Interval)
		case "interval_count":
			s.integer(&p.IntervalCount)
		case "usage_type":
			s.word(&p.UsageType)
		case "transform_usage":
			one(s, &p.Transform, (*transformObject).read)
		default:
			s.skip()
		}
	})
}

func (t *transformObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "divide_by":
			s.float(&t.DivideBy)
		case "round":
			s.word(&t.Round)
		default:
			s.skip()
		}
	})
}

func (i *invoiceObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&i.ID)
		case "customer":
			i.Customer.read(s)
		case "subscription":
			i.Subscription.read(s)
		case "parent":
			s.member("subscription_details", func() {
				s.member("subscription", func() { i.Parent.SubscriptionDetails.Subscription.read(s) })
			})
		case "status":
			s.word(&i.Status)
		case "billing_reason":
			s.word(&i.BillingReason)
		case "currency":
			s.word(&i.Currency)
		case "attempt_count":
			s.integer(&i.AttemptCount)
		case "next_payment_attempt":
			one(s, &i.NextPaymentAttempt, readInteger)
		case "amount_due":
			s.integer(&i.AmountDue)
		case "amount_paid":
			one(s, &i.AmountPaid, readInteger)
		case "paid":
			s.flag(&i.Paid)
		case "paid_out_of_band":
			s.flag(&i.PaidOutOfBand)
		case "created":
			s.integer(&i.Created)
		case "date":
			s.integer(&i.Date)
		case "status_transitions":
			i.readTransitions(s)
		case "charge":
			i.Charge.read(s)
		case "lines":
			i.readLines(s)
		case "discount":
			one(s, &i.Discount, (*discountObject).read)
		case "discounts":
			many(s, &i.Discounts, (*discountObject).read)
		default:
			s.skip()
		}
	})
}

func (i *invoiceObject) readTransitions(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "finalized_at":
			s.integer(&i.Transitions.FinalizedAt)
		case "paid_at":
			s.integer(&i.Transitions.PaidAt)
		default:
			s.skip()
		}
	})
}

func (i *invoiceObject) readLines(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "data":
			many(s, &i.Lines.Data, (*lineObject).read)
		case "has_more":
			s.flag(&i.Lines.HasMore)
		default:
			s.skip()
		}
	})
}

func (l *lineObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "type":
			s.word(&l.Type)
		case "proration":
			s.flag(&l.Proration)
		case "currency":
			s.word(&l.Currency)
		case "subscription":
			l.Subscription.read(s)
		case "quantity":
			l.Quantity.read(s)
		case "price":
			one(s, &l.Price, (*priceObject).read)
		case "plan":
			one(s, &l.Plan, (*planObject).read)
		case "period":
			l.readPeriod(s)
		case "parent":
			s.member("subscription_item_details", func() { one(s, &l.Parent.Item, (*lineItemObject).read) })
		case "pricing":
			one(s, &l.Pricing, (*pricingObject).read)
		default:
			s.skip()
		}
	})
}

func (l *lineObject) readPeriod(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "start":
			s.integer(&l.Period.Start)
		case "end":
			s.integer(&l.Period.End)
		default:
			s.skip()
		}
	})
}

func (l *lineItemObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "proration":
			s.flag(&l.Proration)
		case "subscription":
			l.Subscription.read(s)
		default:
			s.skip()
		}
	})
}

func (p *pricingObject) read(s *scanner) {
	s.member("unit_amount_decimal", func() { p.UnitAmountDecimal.read(s) })
}

func (d *disputeObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&d.ID)
		case "status":
			s.word(&d.Status)
		case "created":
			s.integer(&d.Created)
		case "charge":
			d.Charge.read(s)
		default:
			s.skip()
		}
	})
}

func (c *chargeObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			s.text(&c.ID)
		case "customer":
			c.Customer.read(s)
		case "status":
			s.word(&c.Status)
		case "created":
			s.integer(&c.Created)
		case "amount":
			s.integer(&c.Amount)
		case "currency":
			s.word(&c.Currency)
		case "invoice":
			c.Invoice.read(s)
		default:
			s.skip()
		}
	})
}

// read accepts an id, a charge, or null.
func (c *chargeRef) read(s *scanner) {
	var customer ref
	s.reference(&c.ID, func(key []byte) {
		if string(key) != "customer" {
			s.skip()
			return
		}
		customer.read(s)
	})
	c.Customer = string(customer)
}

// read accepts an id, an invoice, or null.
func (i *invoiceRef) read(s *scanner) {
	*i = invoiceRef{}
	if s.peek() != '{' {
		s.text(&i.ID)
		return
	}
	whole := new(invoiceObject)
	whole.read(s)
	if i.ID = whole.ID; i.ID != "" {
		i.Whole = whole
	}
}

// read accepts a discount, with its coupon of old or under its source, or an id, which tells nothing.
func (d *discountObject) read(s *scanner) {
	*d = discountObject{}
	if s.peek() != '{' {
		s.skip()
		return
	}
	var newer *couponObject
	s.object(func(key []byte) {
		switch string(key) {
		case "coupon":
			readCoupon(&d.Coupon, s)
		case "end":
			s.integer(&d.End)
		case "source":
			s.member("coupon", func() { readCoupon(&newer, s) })
		default:
			s.skip()
		}
	})
	if d.Coupon == nil {
		d.Coupon = newer
	}
}

// readCoupon reads an expanded coupon; an id tells nothing.
func readCoupon(into **couponObject, s *scanner) {
	*into = nil
	if s.peek() != '{' {
		s.skip()
		return
	}
	*into = new(couponObject)
	(*into).read(s)
}

func (c *couponObject) read(s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "percent_off":
			c.PercentOff.read(s)
		case "amount_off":
			c.AmountOff.read(s)
		case "currency":
			s.word(&c.Currency)
		case "duration":
			s.word(&c.Duration)
		default:
			s.skip()
		}
	})
}
