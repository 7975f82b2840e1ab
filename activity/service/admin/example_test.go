package admin_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// onlyOperators stands for the partner's log-in.
func onlyOperators(h http.Handler) http.Handler { return h }

// mount puts the pages below /admin/.
func mount(mux *http.ServeMux, inbox notify.Queue, auditLog *slog.Logger, svc *service.Service, ledger backfill.Ledger, tokens auth.TokenStore) error {
	panel, err := admin.New(inbox, auditLog, &admin.Options{Processor: svc.Processor(), Ledger: ledger, Tokens: tokens})
	if err != nil {
		return err
	}
	mux.Handle("/admin/", onlyOperators(http.StripPrefix("/admin", panel)))
	return nil
}

var _ = mount // it is shown in the package comment

// What the pages show is there as JSON too.
func ExampleNew() {
	inbox := notifytest.NewMemory()
	panel, err := admin.New(inbox, slog.Default(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	panel.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/letters?key=activities", strings.NewReader("")))
	fmt.Print(w.Body)
	// Output: {"filter":{"key":"activities"},"letters":[],"seen":0,"next":""}
}
