module github.com/garminkit/activityapi/bench/limiter

go 1.26.0

require (
	github.com/garminkit/activityapi v0.0.0
	golang.org/x/time v0.14.0
)

require (
	github.com/dghubble/oauth1 v0.7.3 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
)

replace github.com/garminkit/activityapi => ../..
