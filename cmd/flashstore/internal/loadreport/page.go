package loadreport

import (
	"bytes"
	_ "embed"
	"html/template"
	"regexp"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// figure is a chart within the page.
type figure struct {
	SVG     template.HTML
	Caption string
}

func (r Report) page(figures []figure) ([]byte, error) {
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, struct {
		Report
		Figures []figure
	}{r, figures})
	return page.Bytes(), err
}

var (
	// preamble is what only a file of its own begins with.
	preamble = regexp.MustCompile(`(?s)^.*?<svg`)
	// namespaces are known to a page without being named.
	namespaces = regexp.MustCompile(`\s+xmlns(:\w+)?="[^"]*"`)
	comments   = regexp.MustCompile(`(?s)<!--.*?-->`)
)

// inline returns an SVG file as a part of a page: what is black takes the
// colour of the page's text, light or dark.
func inline(svg []byte) template.HTML {
	svg = preamble.ReplaceAll(svg, []byte("<svg"))
	for _, nothing := range []*regexp.Regexp{namespaces, comments} {
		svg = nothing.ReplaceAll(svg, nil)
	}
	return template.HTML(bytes.ReplaceAll(svg, []byte("#000000"), []byte("currentColor")))
}
