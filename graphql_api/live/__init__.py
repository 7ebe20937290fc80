"""What happens, on its way to subscriptions."""
