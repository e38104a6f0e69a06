// Package browser looks at the dashboard with a real Chromium: the whole story of a connection against kustiq dev, and
// every page with data in it, for its accessibility and for the pictures of the documentation.
package browser
