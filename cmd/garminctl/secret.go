package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/garminkit/activityapi/types"
)

const (
	clientSecret     = "GARMIN_CLIENT_SECRET"
	evaluationSecret = "GARMIN_EVALUATION_CLIENT_SECRET"
	consumerSecret   = "GARMIN_CONSUMER_SECRET"
	pathSecret       = "GARMIN_PATH_SECRET"
	tokensKey        = "GARMIN_TOKENS_KEY"
	spoolKey         = "GARMIN_SPOOL_KEY"
	adminHeader      = "GARMIN_ADMIN_AUTHORIZATION"
	databaseURL      = "GARMIN_DATABASE_URL"
)

// longestSecret is the most that is read of a file.
const longestSecret = 64 << 10

// secret returns the value of an environment variable, or the content of the file whose
// path is in the variable with _FILE appended to its name. "" means that neither is set.
func secret(name string) (types.Secret, error) {
	value, file := os.Getenv(name), os.Getenv(name+"_FILE")
	switch {
	case value != "" && file != "":
		return "", usagef("%s and %s_FILE are both set", name, name)
	case file == "":
		return types.Secret(value), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", usagef("%s_FILE: %v", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestSecret))
	if err != nil {
		return "", usagef("%s_FILE: %v", name, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", usagef("%s_FILE: the file is empty", name)
	}
	return types.Secret(text), nil
}

// needed returns a required secret.
func needed(name string) (types.Secret, error) {
	s, err := secret(name)
	if err == nil && s == "" {
		err = usagef("set %s, or %s_FILE to a file that has it", name, name)
	}
	return s, err
}

// seal returns the AEAD with the key in this variable, or nil if there is none.
func seal(name string) (cipher.AEAD, error) {
	text, err := secret(name)
	if err != nil || text == "" {
		return nil, err
	}
	key, err := hex.DecodeString(string(text))
	if err != nil {
		key, err = base64.StdEncoding.DecodeString(string(text))
	}
	if err != nil || len(key) != 16 && len(key) != 32 {
		return nil, usagef("%s is not 16 or 32 bytes in hex or base64", name)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
