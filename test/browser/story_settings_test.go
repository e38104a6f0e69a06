package browser

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/chromedp/chromedp"
)

// The story's later chapters: what an operator of the connection does.

const storyWorkspace = "?workspace=kustiq-demo%2Facme"

// imports has a file of two profiles that nobody at Stripe is by their address.
func (s *story) imports() {
	file := filepath.Join(s.t.TempDir(), "profiles.csv")
	if err := os.WriteFile(file, []byte("profile_id,email\ncrm-1,one@crm.example\ncrm-2,two@crm.example\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.visit(s.page("/dashboard/settings/data" + storyWorkspace))
	s.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	s.click(`form[enctype] button`)
	s.untilText("The file was taken in")
	s.untilText("2 profiles, 2 new, 0 updated")
}

// reviews says of a customer which profile they are.
func (s *story) reviews() {
	s.visitUntil("/dashboard/integrations/matches"+storyWorkspace+"&state=unmatched", `document.querySelector(".matches tbody tr") !== null`)
	s.click(`.matches tbody tr:first-child summary`)
	s.fill(`.matches tbody tr:first-child input[name="profile"]`, "crm-1")
	s.click(`.matches tbody tr:first-child details button`)
	s.untilText("Reassigned: the customer is the profile that you named.")
	s.visit(s.page("/dashboard/integrations/matches" + storyWorkspace + "&state=matched"))
	s.untilText("reassign crm-1 by developer")
	s.shoot("story-matches", false)
}

// operates rotates the secret and reads the history again.
func (s *story) operates() {
	s.visit(s.page("/dashboard/integrations" + storyWorkspace))
	s.click(`form[action$="/connections/stripe-live/rotate-secret"] button`)
	s.untilText("A new signing secret is being made")
	s.until(`document.querySelector("#status-stripe-live").innerText.includes("number 2")`) // without loading the page anew
	s.click(`form[action$="/connections/stripe-live/replay"] button`)
	s.untilText("A replay has been created")
	s.until(`[...document.querySelectorAll("#status-stripe-live .backfill")].some((b) => b.innerText.includes("replay") && b.innerText.includes("Succeeded"))`)
	s.looksAt("integrations")
}

// renews gives the consent again, in the window that shows the card.
func (s *story) renews() {
	generation := func() string {
		return s.dev.Kubectl("get", "strc/stripe-live", "-n", "kustiq-demo", "-o", "jsonpath={.status.token.generation}")
	}
	before := generation()
	s.visit(s.page("/dashboard/integrations" + storyWorkspace))
	s.click(`.connection:has(#name-stripe-live) .connection-head a`)
	s.until(`document.querySelector("#to-stripe") !== null`)
	s.untilText("Authorise again")
	s.click(`#to-stripe`)
	s.untilText("asks to read your account")
	s.click(`button[value="connect"]`)
	s.untilText("The operator redeems the new authorisation now")
	for generation() == before {
		s.patient()
	}
	s.visit(s.page("/connect/kustiq-demo/stripe-live"))
	s.until(`document.querySelector("h1")?.innerText === "Connected"`)
	s.looksAt("renewed")
}

// fits asks for a model.
func (s *story) fits() {
	s.visit(s.page("/dashboard/model"))
	s.click(`form[action$="/fit"] button`)
	s.until(`document.querySelector("#versions, [aria-labelledby=test]") !== null`)
	s.looksAt("model")
	s.visit(s.page("/dashboard/settings/region"))
	s.looksAt("region")
}

// disconnects gives the account back, and finds that scores stay.
func (s *story) disconnects() {
	s.visit(s.page("/dashboard/integrations" + storyWorkspace))
	s.click(`.connection:has(#name-stripe-live) details.danger-zone summary`)
	s.untilText("change anything in your Stripe account")
	s.fill(`.connection:has(#name-stripe-live) input[name="confirm"]`, "stripe-live")
	s.click(`form[action$="/connections/stripe-live/disconnect"] button`)
	s.untilText("The account is being disconnected")
	// The card is either gone with the page that came, or follows the connection until it is.
	s.until(`(document.querySelector("#status-stripe-live")?.innerText ?? "Disconnected").startsWith("Disconnected")`)
	s.dev.Kubectl("wait", "--for=delete", "strc/stripe-live", "-n", "kustiq-demo", "--timeout=60s")
	s.visit(s.page("/dashboard/churn" + storyWorkspace))
	s.until(`document.querySelector("[data-row]") !== null`)
}

// erases removes what is kept, after the name was typed, and reads the report and who did what.
func (s *story) erases() {
	s.visit(s.page("/dashboard/settings/data" + storyWorkspace))
	s.fill(`form[action$="/erase"] input[name="confirm"]`, "acme")
	s.click(`form[action$="/erase"] button`)
	s.untilText("The erasure has been asked for")
	s.until(`document.querySelector("#erasures").innerText.includes("and the data key")`)
	s.until(`document.querySelector("#holdings tbody td.n").innerText === "0"`) // without loading the page anew
	for _, want := range []string{"disconnect", "erase", "match.reassign", "replay", "rotate-secret", "profiles.import"} {
		s.until(`[...document.querySelectorAll("table th[scope=row]")].some((e) => e.innerText.startsWith(` + strconv.Quote(want) + `))`)
	}
	s.looksAt("erased")
	s.visit(s.page("/dashboard/churn" + storyWorkspace))
	s.until(`document.querySelector("[data-row]") === null`)
}
