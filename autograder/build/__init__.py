"""From a master to all that is made of it: student notebook, solution notebook, keys, otter and nbgrader assignments."""
