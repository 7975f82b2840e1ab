package notifytest

// Clauses are the names of the suite's clauses.
func Clauses() (names []string) {
	for _, c := range clauses() {
		names = append(names, c.name)
	}
	return names
}
