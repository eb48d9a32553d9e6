package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// addDependencies adds what Chart.yaml names and charts/ lacks: from folders of the repository, and what Chart.lock
// names from what was fetched. Conditions and tags do not count yet, as in `helm dependency build`.
func (j *job) addDependencies(loaded *chart.Chart, folder string, depth int) error {
	have := map[string]bool{}
	for _, dependency := range loaded.Dependencies() {
		have[dependency.Name()] = true
	}
	var missing []*chart.Dependency
	var wantedErr error
	for _, wanted := range loaded.Metadata.Dependencies {
		if have[wanted.Name] {
			continue
		}
		reference, local := strings.CutPrefix(wanted.Repository, "file://")
		if !local || isArchive(folder) { // nothing is beside an archive
			missing = append(missing, wanted)
			continue
		}
		have[wanted.Name] = true
		err := j.addLocal(loaded, wanted, folder, reference, depth)
		if err != nil && !errors.Is(err, errWanted) {
			return err
		}
		wantedErr = errors.Join(wantedErr, err)
	}
	if len(missing) > 0 {
		return errors.Join(wantedErr, j.addFetched(loaded, missing, folder, depth))
	}
	return wantedErr
}

// addLocal adds a chart from another folder of the same repository.
func (j *job) addLocal(loaded *chart.Chart, wanted *chart.Dependency, folder, reference string, depth int) error {
	beside, inside := joined(folder, reference)
	if !inside || namesGit(reference) || remoteRoot(beside) != remoteRoot(folder) {
		return newProblem(kindOutside, "%s leaves the repository.", wanted.Repository).in(path.Join(folder, "Chart.yaml"))
	}
	return j.addFrom(loaded, wanted, folder, beside, depth)
}

// addFrom adds the chart at a path, which must be the one that is wanted.
func (j *job) addFrom(loaded *chart.Chart, wanted *chart.Dependency, folder, beside string, depth int) error {
	dependency, err := j.loadChartAt(beside, depth+1)
	if err != nil {
		return err
	}
	have := dependency.Metadata
	if isArchive(beside) && have.Name != wanted.Name {
		return newProblem(kindMissingDependency, "The chart needs %s; what was fetched for it is the chart %s.", wanted.Name, have.Name).
			in(path.Join(folder, "Chart.yaml")).with("names", []string{wanted.Name})
	}
	if !chartutil.IsCompatibleRange(wanted.Version, have.Version) {
		return newProblem(kindMissingDependency, "The chart needs %s %s; %s has %s.",
			wanted.Name, wanted.Version, shown(beside), have.Version).in(path.Join(folder, "Chart.yaml"))
	}
	loaded.AddDependency(dependency)
	for _, name := range []string{wanted.Name, wanted.Alias} {
		j.beside[path.Join(folder, "charts", name)] = beside
	}
	return nil
}

// addFetched adds the charts that Chart.lock names, or asks for all of them at once.
func (j *job) addFetched(loaded *chart.Chart, missing []*chart.Dependency, folder string, depth int) error {
	items, err := j.lockedItems(loaded, missing, folder)
	if err != nil {
		return err
	}
	var wantedErr error
	added := map[string]bool{}
	for i, item := range items {
		place, given := j.fetched(item)
		if !given {
			wantedErr = errWanted
			continue
		}
		if added[place] { // under another alias
			j.beside[path.Join(folder, "charts", missing[i].Alias)] = place
			continue
		}
		added[place] = true
		switch err := j.addFrom(loaded, missing[i], folder, place, depth); {
		case errors.Is(err, errWanted):
			wantedErr = err
		case err != nil:
			return err
		}
	}
	return wantedErr
}

// lockedItems returns what to fetch for each missing dependency: the exact version that Chart.lock has.
func (j *job) lockedItems(loaded *chart.Chart, missing []*chart.Dependency, folder string) ([]fetchItem, error) {
	file := path.Join(folder, "Chart.yaml")
	for _, wanted := range missing {
		if name := wanted.Repository; strings.HasPrefix(name, "@") || strings.HasPrefix(name, "alias:") {
			return nil, newProblem(kindMissingDependency, "The dependency %s names its repository by the alias %s, which is known to one machine only.", wanted.Name, name).
				in(file).at(j.lineOfDependency(folder, wanted)).with("names", []string{wanted.Name})
		}
	}
	unlocked := slices.DeleteFunc(slices.Clone(missing), func(wanted *chart.Dependency) bool {
		return loaded.Lock != nil && isRemoteRepository(wanted.Repository)
	})
	if len(unlocked) > 0 {
		return nil, lacksDependencies(unlocked, file)
	}
	if !lockFits(loaded) {
		return nil, doesNotFit(missing, file)
	}
	items := make([]fetchItem, len(missing))
	for i, wanted := range missing {
		locked := lockedVersion(loaded.Lock, wanted)
		if locked == nil || !isRemoteRepository(locked.Repository) {
			return nil, doesNotFit(missing[i:i+1], file)
		}
		items[i] = fetchItem{
			Kind: "chart", Repository: locked.Repository, Name: locked.Name, Version: locked.Version,
			File: file, Line: j.lineOfDependency(folder, wanted),
		}
	}
	return items, nil
}

func isRemoteRepository(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "oci://")
}

func lacksDependencies(missing []*chart.Dependency, file string) *problem {
	facts := make([]map[string]string, len(missing))
	for i, each := range missing {
		facts[i] = map[string]string{"name": each.Name, "version": each.Version, "repository": each.Repository}
	}
	names := namesOf(missing)
	return newProblem(kindMissingDependency, "charts/ lacks the dependencies %s.", strings.Join(names, ", ")).
		in(file).with("names", names).with("dependencies", facts)
}

func doesNotFit(missing []*chart.Dependency, file string) *problem {
	return newProblem(kindMissingDependency, "Chart.lock does not fit the dependencies of Chart.yaml.").in(file).with("names", namesOf(missing))
}

func namesOf(dependencies []*chart.Dependency) []string {
	names := make([]string, len(dependencies))
	for i, each := range dependencies {
		names[i] = each.Name
	}
	return names
}

// lockFits compares the lock's digest with the dependencies, as `helm dependency build` does (Helm's internal/resolver).
// Locks of Helm 2 have the digest of the dependencies alone.
func lockFits(loaded *chart.Chart) bool {
	wanted, lock := loaded.Metadata.Dependencies, loaded.Lock
	if lock.Digest == digestOf([2][]*chart.Dependency{wanted, lock.Dependencies}) {
		return true
	}
	return loaded.Metadata.APIVersion == chart.APIVersionV1 &&
		lock.Digest == digestOf(map[string][]*chart.Dependency{"dependencies": wanted})
}

// digestOf is "" for what cannot be written as JSON.
func digestOf(value any) string {
	content, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	digest := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(digest[:])
}

// lockedVersion returns what the lock has for a dependency: one chart may be there in several versions.
func lockedVersion(lock *chart.Lock, wanted *chart.Dependency) *chart.Dependency {
	for _, locked := range lock.Dependencies {
		if locked != nil && locked.Name == wanted.Name && chartutil.IsCompatibleRange(wanted.Version, locked.Version) {
			return locked
		}
	}
	return nil
}

// lineOfDependency returns the line of Chart.yaml that names a dependency, or 0.
func (j *job) lineOfDependency(folder string, wanted *chart.Dependency) int {
	file := path.Join(folder, "Chart.yaml")
	content := j.files.files[file]
	if isArchive(folder) {
		content = j.packed[folder]["Chart.yaml"]
	}
	_, dependencies, _ := strings.Cut(string(content), "\ndependencies:")
	line := lineOf([]byte(dependencies), "name: "+wanted.Name)
	if line == 0 {
		return 0
	}
	return line + strings.Count(string(content[:len(content)-len(dependencies)]), "\n")
}
