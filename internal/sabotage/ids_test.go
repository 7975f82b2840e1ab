package sabotage

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// ids returns the rows of the fault matrix and of the threat table.
func ids() []string {
	var all []string
	for i := range 46 {
		all = append(all, fmt.Sprint("F", i+1))
	}
	for i := range 20 {
		all = append(all, fmt.Sprint("T", i+1))
	}
	return all
}

// exceptions are the ids without a row, and why.
func exceptions() map[string]string {
	return map[string]string{
		"F1":  "the defence is net/http's: a handler is not called before the headers are whole",
		"T9":  "the defence is net/http's: TestHandlerFaults holds that the advised limits serve",
		"T20": "no forwarded header is read",
		"T19": "TestImportRulesCatch breaks each rule about imports, TestNoPackageStateCatches those about state",
	}
}

// TestEveryIDHasARow holds that no defence of the two lists was forgotten.
func TestEveryIDHasARow(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	id := regexp.MustCompile(`\b[FT]\d+\b`)
	for _, r := range allRows(t) {
		for _, m := range id.FindAllString(r.defence, -1) {
			covered[m] = true
		}
	}
	why := exceptions()
	for _, id := range ids() {
		require.NotEqual(t, covered[id], why[id] != "", "%s needs a row or a reason, and not both", id)
		delete(covered, id)
	}
	require.Empty(t, covered, "ids that are in neither list")
}
