// Package notify receives Garmin's notifications: it decodes ping and push
// bodies, stores them durably before Garmin gets its 200, and hands each item
// to the partner's code.
package notify
