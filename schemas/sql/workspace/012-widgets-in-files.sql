-- Of notebooks that were imported with widgets, the file that was imported says them as well. From the first change on they
-- are what notebook_widgets says, also when it says none.
ALTER TABLE notebook_sessions ADD COLUMN widgets_kept boolean NOT NULL DEFAULT false;
UPDATE notebook_sessions s SET widgets_kept = true
WHERE EXISTS (SELECT 1 FROM notebook_widgets w WHERE w.notebook_id = s.notebook_id);

-- What a command asked for beside its outputs and did not get.
ALTER TABLE cell_commands ADD COLUMN warning text;
