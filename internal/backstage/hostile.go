package backstage

import "strings"

// HostileCallbacks returns callback URLs that a forged ping may carry and that a
// client must not request: similar hosts, other schemes and ports, and resources
// of the right host that have side effects.
func HostileCallbacks(baseURL string) []string {
	const q = "?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=x"
	host := strings.TrimPrefix(strings.TrimPrefix(baseURL, "https://"), "http://")
	return []string{
		"http://169.254.169.254/latest/meta-data/",
		"https://attacker.example/wellness-api/rest/activities" + q,
		"https://" + host + ".attacker.example/wellness-api/rest/activities" + q,
		"https://" + host + "@attacker.example/wellness-api/rest/activities" + q,
		"https://attacker.example#@" + host + "/wellness-api/rest/activities" + q,
		"https://attacker.example\\@" + host + "/wellness-api/rest/activities" + q,
		"file:///etc/passwd",
		"//attacker.example/wellness-api/rest/activities" + q,
		baseURL + ":8443/wellness-api/rest/activities" + q,
		baseURL + "/wellness-api/rest/backfill/activities?summaryStartTimeInSeconds=1&summaryEndTimeInSeconds=2",
		baseURL + "/wellness-api/rest/user/registration",
		baseURL + "/wellness-api/rest/../rest/user/permissions",
		baseURL + "/wellness-api/rest/activities/../user/id" + q,
		baseURL + "/wellness-api/rest/%75ser/id",
	}
}
