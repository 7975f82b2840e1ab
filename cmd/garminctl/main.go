// Command garminctl is the operator's tool: it serves a fake Garmin, tests endpoints,
// finds faults in a set-up, and manages dead letters, history, tokens, a user's data,
// and the move to OAuth 2.
//
//	garminctl doctor -endpoint https://me.example.com/garmin -spool inbox -tokens tokens
//	garminctl letters list -admin https://me.example.com/admin -reason timeout
//	garminctl migrate -tokens tokens
//
// # Stores
//
// With -admin, or GARMIN_ADMIN, it uses the JSON API of a running service, package
// activity/service/admin. With -spool, -tokens and -ledger it opens the stores of a
// stopped service: only one process can open a spool or a ledger, but several can open a
// token file. With -database it opens the tables of module postgres, which a running
// service may be using. With -garmin it calls a fake instead of Garmin.
//
// # Secrets
//
// No argument is a secret, and no output, error or log contains one. A secret is read
// from an environment variable, or from a file whose path is in the variable with _FILE
// appended to its name:
//
//	GARMIN_CLIENT_SECRET             of the key that is in use
//	GARMIN_EVALUATION_CLIENT_SECRET  of your other key, for doctor
//	GARMIN_CONSUMER_SECRET           of OAuth 1.0a, for migrate
//	GARMIN_PATH_SECRET               in the path of the endpoint
//	GARMIN_TOKENS_KEY                seals the token file, downloaded files, and a database that is sealed: 16 or 32 bytes, in hex or base64
//	GARMIN_SPOOL_KEY                 seals the spool: likewise, and the service's key
//	GARMIN_ADMIN_AUTHORIZATION       the header Authorization for the admin API
//	GARMIN_DATABASE_URL              how to connect to PostgreSQL, for -database
//
// # Output
//
// Results go to standard output. Progress, if it is a terminal, and the audit log of
// actions on letters go to standard error. With -json a result is a JSON object, and a
// list is one object per line.
//
// # Exit statuses
//
//	0  success
//	1  something was found wrong, or failed for some
//	2  the arguments or the environment are wrong
//	3  the work could not be done: nothing answers, or a store is in use
//	4  interrupted; what was done stays done, and the same command continues
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	statusFine = iota
	statusFound
	statusUsage
	statusBroken
	statusInterrupted
)

// errFound means that the result, already printed, reports something wrong.
var errFound = errors.New("something was found wrong")

// usageError is an error in the arguments or the environment.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// commands are the arguments of the program.
type commands struct {
	Version kong.VersionFlag `help:"Print the version."`
	JSON    bool             `help:"Print JSON."`

	Fake     fakeCommand     `cmd:"" help:"Be a Garmin for development: API, notifications, OAuth and web tools."`
	Verify   verifyCommand   `cmd:"" help:"Try a running endpoint as Garmin's technical review does."`
	Doctor   doctorCommand   `cmd:"" help:"Find what is wrong with a set-up, and say what to do."`
	Letters  lettersCommand  `cmd:"" help:"Look after dead letters."`
	Tail     tailCommand     `cmd:"" help:"Follow a running service: new dead letters, users whose token is refused, outages."`
	Tokens   tokensCommand   `cmd:"" help:"Show how long tokens last, without the tokens."`
	Backfill backfillCommand `cmd:"" help:"Plan, run and account for the fetching of history."`
	Drift    driftCommand    `cmd:"" help:"Show what Garmin sends and the running service does not know, ready to be pasted into an issue. Status 1 if there is any."`
	Erase    eraseCommand    `cmd:"" help:"Remove all that is kept of a user. Without -yes it is only counted."`
	Export   exportCommand   `cmd:"" name:"export-user" help:"Write all that is kept of a user to a zip with a manifest."`
	Migrate  migrateCommand  `cmd:"" help:"Move users from OAuth 1.0a to OAuth 2, without asking them. It can be stopped and run again."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run executes the command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("garminctl"),
		kong.Description("Operate what talks to Garmin. Flags take one dash or two; go doc and docs/operation.md tell about secrets and exit statuses."),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "garminctl:", err)
		return statusBroken
	}
	k, err := parser.Parse(twoDashes(args))
	if exited == 0 { // -h or -version
		return statusFine
	}
	if err != nil {
		fmt.Fprintf(stderr, "garminctl: %v; see garminctl -h\n", err)
		return statusUsage
	}
	k.BindTo(ctx, (*context.Context)(nil))
	out := newOutput(stdout, stderr, c.JSON)
	err = k.Run(out)
	out.progress("")
	var usage usageError
	switch {
	case err == nil:
		return statusFine
	case errors.Is(err, errFound):
		return statusFound
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "garminctl: interrupted:", err)
		return statusInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "garminctl:", err)
		return statusUsage
	}
	fmt.Fprintln(stderr, "garminctl:", err)
	return statusBroken
}

// oneDash matches a flag in Go's style.
var oneDash = regexp.MustCompile(`^-[a-z][a-z-]+(=|$)`)

// twoDashes writes -flag as --flag, so that both can be used.
func twoDashes(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		if oneDash.MatchString(a) {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}

// version is that of the module, with the commit if that is known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "garminctl"
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " " + s.Value
		}
	}
	return "garminctl " + info.Main.Version + revision + " " + info.GoVersion
}
