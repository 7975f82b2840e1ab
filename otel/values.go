package otel

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// other stands for unknown values: ours, and that of the conventions.
const (
	other     = "other"
	otherType = "_OTHER"
)

// lists are the known list keys; the last stands for all others.
var lists = []string{
	string(types.KindActivities), string(types.KindManualActivities), string(types.KindActivityDetails),
	string(types.KindActivityFiles), string(types.KindMoveIQ),
	string(types.KindDeregistrations), string(types.KindPermissionChanges), other,
}

// listOf returns the index of a list key in lists.
func listOf(key string) int {
	switch types.Kind(key) {
	case types.KindActivities:
		return 0
	case types.KindManualActivities:
		return 1
	case types.KindActivityDetails:
		return 2
	case types.KindActivityFiles:
		return 3
	case types.KindMoveIQ:
		return 4
	case types.KindDeregistrations:
		return 5
	case types.KindPermissionChanges:
		return 6
	}
	return len(lists) - 1
}

// errorTypes are the types of an attempt's error; the first is none, the last stands for
// all others.
var errorTypes = []string{
	"", string(types.FaultItem), string(types.FaultUser), string(types.FaultApplication), string(types.FaultNetwork),
	string(types.FaultGarmin), "unreadable", "unknown user", "timeout", "canceled", otherType,
}

// errorTypeOf returns the index of an attempt's error in errorTypes.
func errorTypeOf(err error) int {
	if err == nil {
		return 0
	}
	at := len(errorTypes) - 1
	if f, ok := errors.AsType[notify.Failure](err); ok && f.Fault() != "" {
		if i := slices.Index(errorTypes, string(f.Fault())); i > 0 {
			return i
		}
		return at
	}
	if _, ok := errors.AsType[*types.DecodeError](err); ok {
		return at - 4
	}
	switch {
	case errors.Is(err, notify.ErrUnknownUser):
		return at - 3
	case errors.Is(err, context.DeadlineExceeded):
		return at - 2
	case errors.Is(err, context.Canceled):
		return at - 1
	}
	return at
}

// failureOf returns the type of an error of a call over the network.
func failureOf(err error) string {
	if n, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && n.Timeout() {
		return "timeout"
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	return otherType
}

// methodOf returns a method as the conventions write it.
func methodOf(method string) string {
	switch method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherType
}

// protocolOf returns a version of HTTP as the conventions write it.
func protocolOf(major, minor int) string {
	switch {
	case major == 2 || major == 3:
		return strconv.Itoa(major)
	case major == 1 && minor == 0:
		return "1.0"
	}
	return "1.1"
}

// apiPath is the path of the API on Garmin's hosts.
const apiPath = "/wellness-api/rest"

// templates are the known resources, below the path of the API.
var templates = func() map[string]bool {
	all := map[string]bool{"/user/id": true, "/user/permissions": true, "/user/registration": true}
	for _, k := range types.Kinds() {
		all["/"+resource.Of(k)] = true
		all["/backfill/"+resource.Of(k)] = true
	}
	return all
}()

// templateOf returns the template of a request's path, "other" if it is unknown.
func templateOf(path string) string {
	for _, token := range []string{"/oauth/token", "/oauth/request_token", "/oauth/access_token"} {
		if strings.HasSuffix(path, token) {
			return "/{server}" + token
		}
	}
	last := strings.LastIndexByte(path, '/')
	if last < 0 {
		return other
	}
	for _, at := range []int{strings.LastIndexByte(path[:last], '/'), last} {
		if at >= 0 && templates[path[at:]] {
			if path[:at] == apiPath {
				return path
			}
			return "/{base}" + path[at:]
		}
	}
	return other
}
