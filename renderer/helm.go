package main

import (
	"fmt"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// helmSpec is what a request says about a release. Values from valuesFrom are in Values already.
type helmSpec struct {
	ReleaseName string         `msgpack:"releaseName"`
	Namespace   string         `msgpack:"namespace"`
	Values      map[string]any `msgpack:"values"`
	ValuesFiles []string       `msgpack:"valuesFiles"`
	IncludeCRDs bool           `msgpack:"includeCRDs"`
	KubeVersion string         `msgpack:"kubeVersion"`
	APIVersions []string       `msgpack:"apiVersions"`
	Chart       *string        `msgpack:"chart"` // the chart's folder or fetched archive; the request's path where it is absent
}

// renderHelm renders a chart as `helm template` does, hooks included: the parent decides which of them it applies.
func (j *job) renderHelm() ([]document, error) {
	if j.Helm == nil {
		j.Helm = &helmSpec{}
	}
	folder := j.Path
	if j.Helm.Chart != nil {
		folder = strings.Trim(*j.Helm.Chart, "/")
	}
	values, err := j.values()
	if err != nil {
		return nil, err
	}
	loaded, err := j.loadChart(folder)
	if err != nil {
		return nil, err
	}
	capabilities, err := j.capabilities(loaded, folder)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, invalidChart(folder, err)
	}
	release := common.ReleaseOptions{
		Name: j.Helm.ReleaseName, Namespace: j.Helm.Namespace, Revision: 1, IsInstall: true,
	}
	// The library's validation would read $ref from the disk and the network.
	top, err := commonutil.ToRenderValuesWithSchemaValidation(loaded, values, release, capabilities, true)
	if err != nil {
		return nil, invalidChart(folder, err)
	}
	if all, ok := top["Values"].(common.Values); ok {
		if err := j.checkSchemas(loaded, all, folder); err != nil {
			return nil, err
		}
	}
	renderer := engine.Engine{CustomTemplateFuncs: j.templateFunctions()}
	output, err := renderer.Render(loaded, top)
	if err != nil {
		return nil, j.explainTemplate(err, folder)
	}
	if len(j.unsteady) > 0 {
		again, err := renderer.Render(loaded, top)
		if err != nil {
			return nil, j.explainTemplate(err, folder)
		}
		j.noteDifferences(output, again, folder)
	}
	return j.chartDocuments(loaded, output, folder)
}

// noteDifferences names the templates whose output differs between two renderings of the same values: each rendering
// would change the cluster. Tests of the chart are left out, because they are not applied.
func (j *job) noteDifferences(output, again map[string]string, folder string) {
	names := []string{}
	for name := range output {
		if output[name] != again[name] && !testHook.MatchString(output[name]) {
			names = append(names, j.chartSource(name, folder))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		j.note(fmt.Sprintf("%s gives another output at every rendering, through %s. Set the values that it makes up.",
			strings.Join(names, ", "), strings.Join(sorted(j.unsteady), ", ")))
	}
}

var testHook = regexp.MustCompile(`helm\.sh/hook["']?:\s*["']?test`)

// chartDocuments turns the output into documents: the definitions of crds/ first, then the templates by name.
func (j *job) chartDocuments(loaded *chart.Chart, output map[string]string, folder string) ([]document, error) {
	documents := []document{}
	if j.Helm.IncludeCRDs {
		for _, definition := range loaded.CRDObjects() {
			parsed, err := parseDocuments(j.chartSource(definition.Filename, folder), splitPlain(definition.File.Data)...)
			if err != nil {
				return nil, err
			}
			documents = append(documents, parsed...)
		}
	}
	names := make([]string, 0, len(output))
	for name := range output {
		if !strings.HasSuffix(name, "NOTES.txt") && !strings.HasPrefix(path.Base(name), "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := j.checkTime(); err != nil {
			return nil, err
		}
		parsed, err := parseDocuments(j.chartSource(name, folder), splitAsHelm(output[name])...)
		if err != nil {
			return nil, err
		}
		documents = append(documents, parsed...)
	}
	return documents, nil
}

// splitAsHelm splits the output of a template where Helm does, which takes more for a separator than YAML does.
func splitAsHelm(output string) []string {
	parts := releaseutil.SplitManifests(output)
	result := make([]string, len(parts))
	for i := range result {
		result[i] = parts[fmt.Sprintf("manifest-%d", i)]
	}
	return result
}

// capabilities says which cluster a chart may count on, and refuses a chart that needs another one.
func (j *job) capabilities(loaded *chart.Chart, folder string) (*common.Capabilities, error) {
	result := common.DefaultCapabilities.Copy()
	if version := helmVersion(); version != "" {
		result.HelmVersion.Version = version
	}
	if j.Helm.KubeVersion != "" {
		version, err := common.ParseKubeVersion(j.Helm.KubeVersion)
		if err != nil {
			return nil, newProblem(kindIncompatibleKubernetes, "%q is not a version of Kubernetes.", j.Helm.KubeVersion).because(err)
		}
		result.KubeVersion = *version
	}
	if len(j.Helm.APIVersions) > 0 {
		result.APIVersions = j.Helm.APIVersions
		if !result.APIVersions.Has("v1") { // these are not what a cluster serves, but additions
			result.APIVersions = slices.Concat(common.DefaultVersionSet, result.APIVersions)
		}
	}
	wanted := loaded.Metadata.KubeVersion
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, result.KubeVersion.String()) {
		return nil, newProblem(kindIncompatibleKubernetes, "The chart needs Kubernetes %s; this is %s.", wanted, result.KubeVersion.Version).
			in(path.Join(folder, "Chart.yaml")).with("wanted", wanted).with("version", result.KubeVersion.Version)
	}
	return result, nil
}

// helmVersion returns the version of Helm's library, which Helm itself leaves to the flags of its build.
var helmVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "helm.sh/helm/v4" {
				return module.Version
			}
		}
	}
	return ""
})

// chartSource returns the file of the repository behind a file of a chart, which Helm names by the charts' names:
// "shop/charts/database/templates/claim.yaml". A file of an archive in charts/ is the archive; of a dependency under an
// alias, the Chart.yaml that has the alias. A file of a fetched archive is the archive and the file in it.
func (j *job) chartSource(name, folder string) string {
	_, rest, _ := strings.Cut(name, "/")
	inside := folder
	for {
		source := path.Join(inside, rest)
		if _, found := j.files.files[source]; found {
			return source
		}
		dependency, after, found := strings.Cut(strings.TrimPrefix(rest, "charts/"), "/")
		next := path.Join(inside, "charts", dependency)
		beside, fromElsewhere := j.beside[next]
		switch found = found && strings.HasPrefix(rest, "charts/"); {
		case !found && !isArchive(inside):
			return path.Join(inside, "Chart.yaml")
		case found && fromElsewhere:
			inside = beside
		case isArchive(inside):
			return source
		case j.files.parents[next]:
			inside = next
		default:
			return j.archiveOf(next, path.Join(inside, "Chart.yaml"))
		}
		rest = after
	}
}

// archiveOf returns the archive of a dependency, or the other file where there is none of its name.
func (j *job) archiveOf(dependency, otherwise string) string {
	for file := range j.files.files {
		if strings.HasPrefix(file, dependency+"-") && strings.HasSuffix(file, ".tgz") && parentOf(file) == parentOf(dependency) {
			return file
		}
	}
	return otherwise
}

func invalidChart(folder string, err error) *problem {
	file := "Chart.yaml"
	if strings.Contains(err.Error(), "cannot load values.yaml") {
		file = "values.yaml"
	}
	return newProblem(kindInvalidChart, "The chart cannot be loaded.").in(path.Join(folder, file)).at(lineIn(err)).because(err)
}
