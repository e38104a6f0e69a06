package browser

import (
	"testing"
)

func TestPictures(t *testing.T) {
	w, s := newWindow(t), openShowcase(t)
	for _, l := range looks {
		w.do(as(l))
		w.visit(s.url + "/dashboard/churn")
		w.until(`document.querySelector("[data-live-state=live]") !== null`)
		w.until(`document.querySelectorAll(".u-wrap").length === 2`)
		w.shoot("churn-"+l.String(), false)
	}
}
