package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long anything on a page may take on a busy machine.
const patience = 90 * time.Second

type step = chromedp.Action[chromedp.Void]

// chromium finds the browser, or skips the test with a word on how to get one.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium here: hack/browser.sh installs one as root on Debian, or set CHROMIUM to the browser's path")
	return ""
}

// window is one tab of a browser.
type window struct {
	t   testing.TB
	ctx context.Context
}

// newWindow starts a browser with a profile of its own. It ends with the test.
func newWindow(t testing.TB) *window {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel() // waits for the browser, which still writes to its profile
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &window{t: t, ctx: ctx}
}

// look is how a page is looked at.
type look struct {
	width, height int64
	dark          bool
}

func (l look) String() string {
	name := "wide"
	if l.width < 760 {
		name = "narrow"
	}
	if l.dark {
		return name + "-dark"
	}
	return name + "-light"
}

var looks = []look{{1280, 1100, false}, {1280, 1100, true}, {400, 860, false}, {400, 860, true}}

// as sets the window's size and the colour scheme. Nothing moves: a picture in the middle of a movement is no picture.
func as(l look) step {
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	return chromedp.Steps(chromedp.EmulateViewport(l.width, l.height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

// do does things, and fails with a picture and the words of what was there instead.
func (w *window) do(steps ...step) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.fail(err.Error())
	}
}

func (w *window) fail(why string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	picture, _ := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	keep(w.t, "failed-"+strings.ReplaceAll(w.t.Name(), "/", "-"), picture)
	w.t.Fatalf("%s, at %s:\n%s", why, address, text)
}

// until waits until an expression is true, on whatever page the window is by then.
func (w *window) until(expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingMutation(), chromedp.WithPollingTimeout(patience)))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.fail(expression + " does not become true")
		}
		// The page was left meanwhile, and its successor is asked. Nothing else ends a poll early, except for nonsense.
		if err := chromedp.Do(ctx, chromedp.WaitReady(chromedp.CSS("body"))); err != nil {
			w.fail(err.Error())
		}
	}
}

// untilText waits until some text can be read.
func (w *window) untilText(text string) {
	w.t.Helper()
	w.until(`document.body && document.body.innerText.includes(` + strconv.Quote(text) + `)`)
}

// value evaluates an expression.
func value[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.fail(err.Error())
	}
	return got
}

// visit opens an address.
func (w *window) visit(address string) {
	w.t.Helper()
	w.do(chromedp.Navigate(address), chromedp.WaitReady(chromedp.CSS("main")))
}

// click clicks what a selector finds first.
func (w *window) click(selector string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(selector)))
}

// shoot takes a picture of the page, of all of it or of what the window shows, and keeps it.
func (w *window) shoot(name string, whole bool) []byte {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var picture []byte
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		shot, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole, Clip: w.whole(ctx, t, whole)})
		picture = shot.Data
		return err
	}))
	if err != nil {
		w.fail(err.Error())
	}
	keep(w.t, name, picture)
	return picture
}

// whole is the area of the whole page; nil asks for what the window shows.
func (w *window) whole(ctx context.Context, t *chromedp.Target, whole bool) *page.Viewport {
	if !whole {
		return nil
	}
	size, err := cdp.Call(ctx, t, page.GetLayoutMetrics, cdp.Empty{})
	if err != nil {
		return nil
	}
	return &page.Viewport{Width: size.CSSContentSize.Width, Height: size.CSSContentSize.Height, Scale: 1}
}

// keep writes a picture into the folder that git ignores.
func keep(t testing.TB, name string, picture []byte) {
	if len(picture) == 0 {
		return
	}
	folder := filepath.Join("..", "..", "screenshots")
	err := os.MkdirAll(folder, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644)
	}
	if err != nil {
		t.Log(err)
	}
}
