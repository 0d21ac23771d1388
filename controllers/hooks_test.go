package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hooks are what a test may put between the operator and the world.
type hooks struct {
	// answered runs after AWS has answered and before the operator sees it.
	answered func()
	// beforeCreate, beforeUpdate and beforePatch run before the API server is
	// called; an error is returned to the operator instead.
	beforeCreate func(client.Object) error
	beforeUpdate func(client.Object) error
	beforePatch  func(client.Object) error
	// afterUpdate may turn a success into an error: the reply was lost.
	afterUpdate func(client.Object) error
}

// hookedClient is the operator's real client with the hooks in between.
type hookedClient struct {
	client.Client
	hooks *hooks
}

func (c *hookedClient) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	if c.hooks.beforeCreate != nil {
		if err := c.hooks.beforeCreate(object); err != nil {
			return err
		}
	}
	return c.Client.Create(ctx, object, opts...)
}

func (c *hookedClient) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	if c.hooks.beforeUpdate != nil {
		if err := c.hooks.beforeUpdate(object); err != nil {
			return err
		}
	}
	if err := c.Client.Update(ctx, object, opts...); err != nil {
		return err
	}
	if c.hooks.afterUpdate != nil {
		return c.hooks.afterUpdate(object)
	}
	return nil
}

func (c *hookedClient) Status() client.SubResourceWriter {
	return &hookedStatus{c.Client.Status(), c.hooks}
}

type hookedStatus struct {
	client.SubResourceWriter
	hooks *hooks
}

func (c *hookedStatus) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if c.hooks.beforePatch != nil {
		if err := c.hooks.beforePatch(object); err != nil {
			return err
		}
	}
	return c.SubResourceWriter.Patch(ctx, object, patch, opts...)
}
