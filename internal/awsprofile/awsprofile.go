// Package awsprofile finds the login of an AWS profile on this machine, where the
// AWS CLI and SDKs look for it.
package awsprofile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
)

// Login is what `aws login` left on this machine.
type Login struct {
	Profile string
	Path    string // of the login cache
	Region  string // that the AWS CLI uses with this profile; empty where none is set
	Content []byte
}

// Find reads the login of a profile: the named one, or AWS_PROFILE's, or the default.
// AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE and AWS_LOGIN_CACHE_DIRECTORY count.
func Find(ctx context.Context, profile string) (*Login, error) {
	environment, err := config.NewEnvConfig()
	if err != nil {
		return nil, fmt.Errorf("read the AWS variables of the environment: %w", err)
	}
	for _, name := range []string{environment.SharedConfigProfile, "default"} {
		if profile == "" {
			profile = name
		}
	}
	settings, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		if environment.SharedConfigFile != "" {
			o.ConfigFiles = []string{environment.SharedConfigFile}
		}
		if environment.SharedCredentialsFile != "" {
			o.CredentialsFiles = []string{environment.SharedCredentialsFile}
		}
	})
	if _, missing := errors.AsType[config.SharedConfigProfileNotExistError](err); missing {
		return nil, fmt.Errorf("there is no AWS profile %s", profile)
	}
	if err != nil {
		return nil, fmt.Errorf("read AWS profile %s: %w", profile, err)
	}
	if settings.LoginSession == "" {
		return nil, fmt.Errorf("AWS profile %s has no login_session: nobody signed in with `aws login --profile %[1]s`", profile)
	}
	found := &Login{Profile: profile, Region: environment.Region}
	if found.Region == "" {
		found.Region = settings.Region
	}
	return found, found.read(settings.LoginSession)
}

func (l *Login) read(session string) (err error) {
	l.Path, err = logincreds.StandardCachedTokenFilepath(session, os.Getenv("AWS_LOGIN_CACHE_DIRECTORY"))
	if err != nil {
		return fmt.Errorf("find the login of AWS profile %s: %w", l.Profile, err)
	}
	l.Content, err = os.ReadFile(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the login of AWS profile %s is not there any more (%s): `aws login --profile %[1]s` makes another", l.Profile, l.Path)
	}
	if err != nil {
		return fmt.Errorf("read the login of AWS profile %s: %w", l.Profile, err)
	}
	return nil
}

// ErrChanged means that another program has written the login since it was read.
var ErrChanged = errors.New("another program has refreshed it meanwhile")

// Remove deletes the login cache, unless it has changed since it was read.
func (l *Login) Remove() error {
	content, err := os.ReadFile(l.Path)
	if err != nil {
		return err
	}
	if string(content) != string(l.Content) {
		return ErrChanged
	}
	return os.Remove(l.Path)
}
