package dashboard

import "net/url"

// section is a part of the dashboard that the navigation names.
type section string

const (
	sectionChurn        section = "churn"
	sectionModel        section = "model"
	sectionIntegrations section = "integrations"
	sectionSettings     section = "settings"
)

// sections are the entries of the navigation, in their order.
var sections = []struct {
	section section
	words   string
	path    string
}{
	{sectionChurn, "Churn", "/dashboard/churn"},
	{sectionIntegrations, "Integrations", "/dashboard/integrations"},
	{sectionSettings, "Settings", regionPath},
	{sectionModel, "Model", "/dashboard/model"},
}

// link is one entry of the navigation on a page.
type link struct {
	Section     section
	Words, Href string
}

// Navigation leads to every section, and stays in the workspace.
func (l layout) Navigation() []link {
	var links []link
	for _, s := range sections {
		links = append(links, link{Section: s.section, Words: s.words, Href: inWorkspace(s.path, l.Workspace)})
	}
	return links
}

// SectionPath is where choosing another workspace leads.
func (l layout) SectionPath() string {
	for _, s := range sections {
		if s.section == l.Section {
			return s.path
		}
	}
	return sections[0].path
}

func inWorkspace(path, workspace string) string {
	if workspace == "" {
		return path
	}
	return path + "?" + url.Values{"workspace": {workspace}}.Encode()
}
