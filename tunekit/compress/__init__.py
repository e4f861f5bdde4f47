"""Make a trained net smaller and say what that bought: recipes, measures, bundles and the job that runs them."""
