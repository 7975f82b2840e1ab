// Package apicheck has no code. Its tests hold the rules of the house: who may
// import what, that no package has state, that every code block of the
// documents is compiled, and what the exported API is.
package apicheck
