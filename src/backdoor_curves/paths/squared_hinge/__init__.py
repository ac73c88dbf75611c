"""LinearSVC\'s squared hinge: the path by series between its knots."""
