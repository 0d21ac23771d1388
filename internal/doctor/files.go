package doctor

import (
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// Variables by which SDKs find files, and the files.
const (
	configFile      = "AWS_CONFIG_FILE"
	credentialsFile = "AWS_SHARED_CREDENTIALS_FILE"
	cacheDirectory  = "AWS_LOGIN_CACHE_DIRECTORY"

	nowhere = "/dev/null"
)

// filesChange: a kubelet does not bring changes to files that are mounted by themselves.
func filesChange(u *use) []Finding {
	for _, m := range u.mounts {
		if m.subPath != "" && u.lasts() {
			return u.found("mount the whole Secret at "+u.session.Spec.Target.MountPath+" without subPath",
				"mounts %s of Secret %s with subPath, so that it never changes", m.subPath, m.Secret)
		}
	}
	return nil
}

// at is where the container looks for a file; asked is whether it says so.
func (u *use) at(name string) (file string, at place, asked bool) {
	value, known, set := u.set(name)
	if !set || !known {
		return "", place{}, set
	}
	return value, u.locate(value), true
}

// configFileIsMounted: without a file that names them, SDKs do not find the others.
func configFileIsMounted(u *use) []Finding {
	folders := u.folders()
	variable, value := u.prefer()
	if len(folders) == 0 || variable == "" {
		return nil
	}
	remedy := "set " + variable + " to " + value
	file, at, asked := u.at(configFile)
	_, shared, _ := u.at(credentialsFile)
	switch {
	case at.key != "" || at.theirs || shared.key != "" || shared.theirs:
		return nil
	case at.inside:
		return u.found(remedy, "has %s=%s, a file that Secret %s does not have", configFile, file, folders[0].Secret)
	case file != "":
		return u.found(remedy, "has %s=%s, and Secret %s is mounted at %s", configFile, file, folders[0].Secret, folders[0].path)
	case asked || u.readsByItself():
		return nil
	}
	return u.found(remedy, "mounts Secret %s at %s, and nothing in the pod tells SDKs to look there", folders[0].Secret, folders[0].path)
}

// readsByItself says whether the program may find the files without a variable: it is told
// the folder otherwise, the folder is where SDKs look, or the target has files of its own.
func (u *use) readsByItself() bool {
	if template := u.session.Spec.Target.Template; template != nil && len(template.Data) > 0 {
		return true
	}
	for _, m := range u.folders() {
		if path.Base(m.path) == ".aws" || u.mentions(m.path) {
			return true
		}
	}
	return false
}

// mentions says whether command, arguments or variables have a text.
func (u *use) mentions(text string) bool {
	has := func(s string) bool { return strings.Contains(s, text) }
	return slices.ContainsFunc(u.container.Command, has) || slices.ContainsFunc(u.container.Args, has) ||
		slices.ContainsFunc(u.container.Env, func(v corev1.EnvVar) bool { return has(v.Value) })
}

func credentialsFileIsMounted(u *use) []Finding {
	file, at, _ := u.at(credentialsFile)
	_, config, _ := u.at(configFile)
	switch {
	case len(u.folders()) == 0 || file == "" || file == nowhere || at.theirs:
		return nil
	case at.key != "" && config.key != "":
		return u.found("set it to "+nowhere, "has %s=%s beside %s, and SDKs prefer that file, which most read only once", credentialsFile, file, configFile)
	case at.key != "":
		return nil
	case at.inside:
		return u.found("set it to "+nowhere+", or add SharedCredentials to spec.target.formats of LoginSession "+u.session.Name,
			"has %s=%s, a file that Secret %s does not have", credentialsFile, file, u.session.TargetSecretName())
	}
	return u.found("set it to "+nowhere, "has %s=%s, and SDKs prefer keys of that file to those of Secret %s", credentialsFile, file, u.session.TargetSecretName())
}

func cacheDirectoryIsMounted(u *use) []Finding {
	_, config, _ := u.at(configFile)
	if config.key != "login-config" {
		return nil
	}
	value, known, set := u.set(cacheDirectory)
	folders := u.folders()
	if len(folders) == 0 || (set && !known) || slices.ContainsFunc(folders, func(m mount) bool { return path.Clean(value) == m.path }) {
		return nil
	}
	remedy := "set " + cacheDirectory + " to " + folders[0].path + "/"
	if !set {
		return u.found(remedy, "has %s for the format LoginCache, and not %s", configFile, cacheDirectory)
	}
	return u.found(remedy, "has %s=%s, and Secret %s is mounted at %s", cacheDirectory, value, folders[0].Secret, folders[0].path)
}

// mountedWhereConfigSays: config names credentials.json by its absolute path.
func mountedWhereConfigSays(u *use) []Finding {
	_, config, _ := u.at(configFile)
	named := u.session.Spec.Target.MountPath
	folders := u.folders()
	if config.key != "config" || len(folders) == 0 || u.locate(named+"/credentials.json").key == "credentials.json" {
		return nil
	}
	if slices.ContainsFunc(folders, func(m mount) bool { return m.path == named }) {
		return u.found("take both keys, or remove items from the volume", "mounts config of Secret %s without credentials.json, which it names", folders[0].Secret)
	}
	return u.found("mount it at "+named+", or set spec.target.mountPath of LoginSession "+u.session.Name+" to "+folders[0].path,
		"mounts Secret %s at %s, and config in it names %s/credentials.json", folders[0].Secret, folders[0].path, named)
}

var (
	bare     = regexp.MustCompile(`(?i)distroless|chainguard|cgr\.dev/|(^|[/:._-])scratch($|[/:._-])`)
	withTool = regexp.MustCompile(`:[^/]*(debug|dev|shell)[^/]*$`)
)

// imageHasCat can only guess, by the name.
func imageHasCat(u *use) []Finding {
	_, config, _ := u.at(configFile)
	if config.key != "config" || !bare.MatchString(u.container.Image) || withTool.MatchString(u.container.Image) {
		return nil
	}
	remedy := "use the file login-config of the format LoginCache"
	if !slices.Contains(u.session.Spec.Target.Formats, v1alpha1.LoginCache) {
		remedy += ", which spec.target.formats of LoginSession " + u.session.Name + " lacks"
	}
	return u.found(remedy, "uses the format CredentialProcess, and its image %s may have no cat", u.container.Image)
}
