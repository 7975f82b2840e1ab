module github.com/garminkit/activityapi/activity/fitfile

go 1.26.0

require (
	github.com/garminkit/activityapi v0.2.0
	github.com/muktihari/fit v0.28.3
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/garminkit/activityapi => ../../
