package canary

import "fmt"

var (
	companyFirst  = []string{"Northwind", "Blue Harbor", "Alpine", "Cobalt", "Juniper", "Lumen", "Marble", "Orchard", "Quarry", "Sable", "Tidal", "Verdant", "Willow", "Zephyr", "Amber", "Birch", "Copper", "Delta", "Ember", "Fjord"}
	companySecond = []string{"Robotics", "Analytics", "Foods", "Logistics", "Studio", "Health", "Press", "Labs", "Energy", "Travel", "Systems", "Books", "Works", "Media", "Security"}
)

// CustomerName is that of the n-th customer. Every name begins with one of the marks.
func CustomerName(n int) string {
	name := nameOf(n)
	if round := n / (len(companyFirst) * len(companySecond)); round > 0 {
		name = fmt.Sprintf("%s %d", name, round+1)
	}
	return name
}

func nameOf(n int) string {
	return companyFirst[n%len(companyFirst)] + " " + companySecond[(n/len(companyFirst)+n)%len(companySecond)]
}
