module github.com/flashstore/flashstore

go 1.25.0

require (
	github.com/mattn/go-sqlite3 v1.14.53
	golang.org/x/sync v0.18.0
	gorm.io/driver/sqlite v1.6.0
	gorm.io/gorm v1.31.2
)

require (
	github.com/jinzhu/inflection v1.0.0 // indirect
	github.com/jinzhu/now v1.1.5 // indirect
	golang.org/x/text v0.22.0 // indirect
)
