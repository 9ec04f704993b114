package main

import (
	_ "embed"
	"time"

	"github.com/flashstore/flashstore/models"
)

// classRecording is the demo's class: eight learners, three weeks and a day.
//
//go:embed class.jsonl
var classRecording []byte

// classDay is in the season that the class played last.
var classDay = time.Date(2026, time.November, 8, 12, 0, 0, 0, time.UTC)

// What the learner who leads the class in it buys. The purchase's id is always
// the same: the demo, run again, buys once.
const (
	classBest     = "demo-hypatia"
	classWish     = "frame-neon"
	classPurchase = "019a4e02-5c00-7000-8000-666c61736801"
)

// catalogue is what the demo's shop sells.
var catalogue = []models.ShopItem{
	{Slug: "avatar-fox", Name: "Quick Fox", Description: "For those who answer first", Slot: "avatar", Rarity: "common", Price: 80, AssetValue: "avatars/fox.svg"},
	{Slug: "avatar-abacus", Name: "Abacus Bot", Description: "Counts on its own fingers", Slot: "avatar", Rarity: "rare", Price: 240, AssetValue: "avatars/abacus.svg"},
	{Slug: "frame-neon", Name: "Neon Frame", Description: "Glows in the first league's colour", Slot: "frame", Rarity: "rare", Price: 150, AssetValue: "#39ff14"},
	{Slug: "frame-apex", Name: "Apex Crown", Description: "Seldom seen on a head", Slot: "frame", Rarity: "legendary", Price: 900, AssetValue: "frames/crown.svg"},
	{Slug: "theme-midnight", Name: "Midnight", Description: "White chalk on a dark board", Slot: "theme", Rarity: "common", Price: 60, AssetValue: "#0b1026"},
	{Slug: "theme-aurora", Name: "Aurora", Description: "Northern lights behind the sums", Slot: "theme", Rarity: "epic", Price: 400, AssetValue: "themes/aurora.json"},
}
