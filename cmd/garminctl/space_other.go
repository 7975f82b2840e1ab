//go:build !linux

package main

import "errors"

func spaceOf(string) (space, error) { return space{}, errors.ErrUnsupported }

func holderName(string) string { return "another process" }
